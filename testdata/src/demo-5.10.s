# Numbers and names of Debian's 5.10.0-32-cloud-amd64 kernel, no kernel code: written
# by demo-5.10.py, see there. True are the addresses, symbols, exception-table entries
# and the places jumps and calls lead to; the rest is filler. Used by the README.
	.macro	jump at, to
	.byte	0xe9
	.long	\to - \at - 5
	.endm
	.macro	jump_short at, to
	.byte	0xeb, \to - \at - 2
	.endm
	.macro	branch cc, at, to
	.byte	0x0f, 0x80 + \cc
	.long	\to - \at - 6
	.endm
	.macro	branch_short cc, at, to
	.byte	0x70 + \cc, \to - \at - 2
	.endm
	.macro	callto at, to
	.byte	0xe8
	.long	\to - \at - 5
	.endm
	.macro	place here, name, offset, bind, type, size
	.\bind	\name
	.type	\name, @\type
	.set	\name, \here + \offset
	.size	\name, \size
	.endm
	.macro	entry insn, fixup, handler
	.long	\insn - 0xffffffff821a1920 - (. - .Ltable)
	.long	\fixup - 0xffffffff821a1920 - (. - .Ltable)
	.long	\handler - 0xffffffff821a1920 - (. - .Ltable)
	.endm

	.section .text.000, "ax", @progbits
.Lhere0:
	place	.Lhere0, "_stext", 0x0, globl, notype, 0x0
	place	.Lhere0, "_text", 0x0, globl, notype, 0x0
	place	.Lhere0, "startup_64", 0x0, globl, notype, 0x5e
	.fill	16, 1, 0xcc
	.section .text.001, "ax", @progbits
.Lhere1:
	place	.Lhere1, "arch_do_signal_or_restart", 0x0, globl, function, 0x745
	.fill	16, 1, 0x90
	.section .text.002, "ax", @progbits
.Lhere2:
	.fill	466, 1, 0x90
	.section .text.003, "ax", @progbits
.Lhere3:
	place	.Lhere3, "signal_fault", 0xff, globl, function, 0x5b
	place	.Lhere3, "__do_sys_rt_sigreturn", 0x15f, local, function, 0xd6
	place	.Lhere3, "__ia32_sys_rt_sigreturn", 0x15f, globl, function, 0xd6
	place	.Lhere3, "__x64_sys_rt_sigreturn", 0x15f, globl, function, 0xd6
	place	.Lhere3, "sigaction_compat_abi", 0x23f, globl, function, 0x49
	.fill	8, 1, 0x90
	callto	0xffffffff8102a399, 0xffffffff81037e40
	.fill	231, 1, 0x90
	.fill	11, 1, 0xcc
	.fill	91, 1, 0x90
	.fill	5, 1, 0xcc
	.fill	84, 1, 0x90
	callto	0xffffffff8102a544, 0xffffffff815397b0
	.fill	125, 1, 0x90
	.section .text.004, "ax", @progbits
.Lhere4:
	place	.Lhere4, "do_softirq_own_stack", 0x0, globl, function, 0x43
	place	.Lhere4, "stack_type_name", 0x50, globl, function, 0x34
	.fill	50, 1, 0x90
	callto	0xffffffff8102d432, 0xffffffff81a010e0
	.fill	12, 1, 0x90
	.section .text.005, "ax", @progbits
.Lhere5:
	place	.Lhere5, "nmi_handle", 0x0, local, function, 0xf5
	place	.Lhere5, "pci_serr_error", 0x100, local, function, 0x25
	place	.Lhere5, "unknown_nmi_error", 0x130, local, function, 0x2c
	place	.Lhere5, "io_check_error", 0x160, local, function, 0x25
	.fill	245, 1, 0x90
	.fill	11, 1, 0xcc
	.fill	37, 1, 0x90
	.fill	11, 1, 0xcc
	.fill	17, 1, 0x90
	callto	0xffffffff8102e211, 0xffffffff8102e0d0
	.fill	22, 1, 0x90
	.section .text.006, "ax", @progbits
.Lhere6:
	place	.Lhere6, "write_ldt", 0x0, local, function, 0x3ed
	.fill	16, 1, 0x90
	.section .text.007, "ax", @progbits
.Lhere7:
	.fill	8, 1, 0x90
	callto	0xffffffff8102eb46, 0xffffffff811305b0
	.fill	16, 1, 0x90
	.section .text.008, "ax", @progbits
.Lhere8:
	place	.Lhere8, "load_mm_ldt", 0x13, globl, function, 0x74
	place	.Lhere8, "flush_ldt", 0x93, local, function, 0x33
	place	.Lhere8, "switch_ldt", 0xd3, globl, function, 0x22
	.fill	16, 1, 0x90
	.fill	3, 1, 0xcc
	.fill	116, 1, 0x90
	.fill	12, 1, 0xcc
	.fill	51, 1, 0x90
	.section .text.009, "ax", @progbits
.Lhere9:
	place	.Lhere9, "__x64_sys_modify_ldt", 0x0, globl, function, 0x99
	place	.Lhere9, "__ia32_sys_modify_ldt", 0xa0, globl, function, 0x98
	place	.Lhere9, "fpregs_assert_state_consistent", 0x76f0, globl, function, 0x42
	place	.Lhere9, "trace_event_raw_event_x86_fpu", 0x7740, local, function, 0xe4
	.fill	42, 1, 0x90
	callto	0xffffffff8102eeea, 0xffffffff8102e890
	.fill	106, 1, 0x90
	.section .text.010, "ax", @progbits
.Lhere10:
	place	.Lhere10, "copy_fpstate_to_sigframe", 0x0, globl, function, 0x335
	.fill	176, 1, 0x90
	callto	0xffffffff81037ef0, 0xffffffff8153bdb0
	.fill	213, 1, 0x90
	callto	0xffffffff81037fca, 0xffffffff8153bdb0
	.fill	150, 1, 0x90
	.section .text.011, "ax", @progbits
.Lhere11:
	place	.Lhere11, "fpu__restore_sig", 0x1b, globl, function, 0x31
	.fill	16, 1, 0x90
	.section .text.012, "ax", @progbits
.Lhere12:
	place	.Lhere12, "lapic_next_event", 0x0, local, function, 0x24
	place	.Lhere12, "lapic_timer_broadcast", 0x30, local, function, 0x1a
	.fill	36, 1, 0x90
	.section .text.013, "ax", @progbits
.Lhere13:
	place	.Lhere13, "do_user_addr_fault", 0x0, local, function, 0x3f5
	.fill	16, 1, 0x90
	.section .text.014, "ax", @progbits
.Lhere14:
	.fill	8, 1, 0x90
	callto	0xffffffff8106b3d7, 0xffffffff810e3a20
	.fill	16, 1, 0x90
	.section .text.015, "ax", @progbits
.Lhere15:
	place	.Lhere15, "fault_in_kernel_space", 0x1b, globl, function, 0x32
	.fill	16, 1, 0x90
	.section .text.016, "ax", @progbits
.Lhere16:
	place	.Lhere16, "ex_handler_default", 0x0, globl, function, 0x1f
	place	.Lhere16, "ex_handler_fault", 0x20, globl, function, 0x26
	place	.Lhere16, "ex_handler_clear_fs", 0x50, globl, function, 0x2f
	place	.Lhere16, "ex_handler_uaccess", 0x80, globl, function, 0x59
	place	.Lhere16, "ex_handler_copy", 0xe0, globl, function, 0x68
	place	.Lhere16, "ex_handler_rdmsr_unsafe", 0x150, globl, function, 0x46
	place	.Lhere16, "ex_handler_fprestore", 0x1e0, globl, function, 0x6b
	place	.Lhere16, "ex_get_fault_handler_type", 0x250, globl, function, 0x55
	.fill	31, 1, 0x90
	.fill	1, 1, 0xcc
	.fill	38, 1, 0x90
	.fill	10, 1, 0xcc
	.fill	47, 1, 0x90
	.fill	1, 1, 0xcc
	.fill	89, 1, 0x90
	.fill	7, 1, 0xcc
	.fill	104, 1, 0x90
	.fill	8, 1, 0xcc
	.fill	70, 1, 0x90
	.fill	10, 1, 0xcc
	.fill	54, 1, 0x90
	.fill	10, 1, 0xcc
	.fill	107, 1, 0x90
	.section .text.017, "ax", @progbits
.Lhere17:
	place	.Lhere17, "copy_clone_args_from_user", 0x0, local, function, 0x269
	.fill	16, 1, 0x90
	.section .text.018, "ax", @progbits
.Lhere18:
	place	.Lhere18, "mm_init", 0x50, local, function, 0x29a
	.fill	8, 1, 0x90
	callto	0xffffffff8107e078, 0xffffffff814eda90
	.fill	60, 1, 0x90
	.section .text.019, "ax", @progbits
.Lhere19:
	place	.Lhere19, "__do_sys_clone3", 0x0, local, function, 0xf3
	place	.Lhere19, "kernel_thread", 0x100, globl, function, 0x73
	.fill	45, 1, 0x90
	callto	0xffffffff8108172d, 0xffffffff8107de50
	.fill	193, 1, 0x90
	.section .text.020, "ax", @progbits
.Lhere20:
	place	.Lhere20, "irq_exit_rcu", 0x0, globl, function, 0xbf
	place	.Lhere20, "irq_exit", 0xc0, globl, function, 0xc4
	.fill	57, 1, 0x90
	callto	0xffffffff81088fa9, 0xffffffff810bb070
	.fill	129, 1, 0x90
	.section .text.021, "ax", @progbits
.Lhere21:
	place	.Lhere21, "module_attr_store", 0x0, local, function, 0x2f
	place	.Lhere21, "uevent_filter", 0x30, local, function, 0x17
	.fill	47, 1, 0x90
	.section .text.022, "ax", @progbits
.Lhere22:
	place	.Lhere22, "param_attr_store", 0x0, local, function, 0xfd
	place	.Lhere22, "parameqn", 0x100, globl, function, 0x5b
	.fill	253, 1, 0x90
	.section .text.023, "ax", @progbits
.Lhere23:
	place	.Lhere23, "scheduler_tick", 0x0, globl, function, 0x114
	place	.Lhere23, "do_task_dead", 0x120, globl, function, 0x42
	place	.Lhere23, "idle_cpu", 0x750, globl, function, 0x4d
	place	.Lhere23, "available_idle_cpu", 0x7a0, globl, function, 0x58
	place	.Lhere23, "__mutex_init", 0x287c0, globl, function, 0x2b
	place	.Lhere23, "mutex_is_locked", 0x287f0, globl, function, 0x16
	place	.Lhere23, "up_read", 0x29100, globl, function, 0xb5
	place	.Lhere23, "downgrade_write", 0x291c0, globl, function, 0xbc
	.fill	137, 1, 0x90
	callto	0xffffffff810ba9a9, 0xffffffff811fc430
	.fill	134, 1, 0x90
	.section .text.024, "ax", @progbits
.Lhere24:
	place	.Lhere24, "exit_to_user_mode_prepare", 0x0, local, function, 0x15b
	place	.Lhere24, "irqentry_exit_cond_resched", 0x160, globl, function, 0x2d
	.fill	45, 1, 0x90
	callto	0xffffffff81110ead, 0xffffffff810365b0
	.fill	200, 1, 0x90
	callto	0xffffffff81110f7a, 0xffffffff81029d40
	.fill	92, 1, 0x90
	.section .text.025, "ax", @progbits
.Lhere25:
	place	.Lhere25, "update_process_times", 0x0, globl, function, 0xb7
	place	.Lhere25, "run_local_timers", 0xc0, globl, function, 0x48
	.fill	171, 1, 0x90
	callto	0xffffffff81116f1b, 0xffffffff810ba920
	.fill	7, 1, 0x90
	.section .text.026, "ax", @progbits
.Lhere26:
	place	.Lhere26, "enqueue_hrtimer", 0x0, local, function, 0x7a
	place	.Lhere26, "__hrtimer_get_remaining", 0x80, globl, function, 0x6a
	.fill	51, 1, 0x90
	callto	0xffffffff811176f3, 0xffffffff8152f330
	.fill	66, 1, 0x90
	.section .text.027, "ax", @progbits
.Lhere27:
	place	.Lhere27, "__hrtimer_run_queues", 0x0, local, function, 0x274
	.fill	16, 1, 0x90
	.section .text.028, "ax", @progbits
.Lhere28:
	.fill	8, 1, 0x90
	callto	0xffffffff81117e34, 0xffffffff811176c0
	.fill	16, 1, 0x90
	.section .text.029, "ax", @progbits
.Lhere29:
	place	.Lhere29, "hrtimer_run_softirq", 0x1c, local, function, 0xd4
	.fill	16, 1, 0x90
	.section .text.030, "ax", @progbits
.Lhere30:
	place	.Lhere30, "hrtimer_interrupt", 0x0, globl, function, 0x2bf
	.fill	16, 1, 0x90
	.section .text.031, "ax", @progbits
.Lhere31:
	.fill	8, 1, 0x90
	callto	0xffffffff81118478, 0xffffffff81129340
	.fill	16, 1, 0x90
	.section .text.032, "ax", @progbits
.Lhere32:
	place	.Lhere32, "hrtimer_run_queues", 0x11, globl, function, 0x11a
	.fill	16, 1, 0x90
	.section .text.033, "ax", @progbits
.Lhere33:
	place	.Lhere33, "ktime_get", 0x0, globl, function, 0x98
	place	.Lhere33, "ktime_get_raw_ts64", 0xa0, globl, function, 0xd1
	.fill	152, 1, 0x90
	.section .text.034, "ax", @progbits
.Lhere34:
	place	.Lhere34, "clockevents_program_event", 0x0, globl, function, 0xea
	place	.Lhere34, "__clockevents_update_freq", 0xf0, globl, function, 0x61
	place	.Lhere34, "tick_program_event", 0x1ed0, globl, function, 0x79
	place	.Lhere34, "tick_resume_oneshot", 0x1f50, globl, function, 0x31
	.fill	234, 1, 0x90
	.section .text.035, "ax", @progbits
.Lhere35:
	place	.Lhere35, "tick_sched_handle", 0x0, local, function, 0x54
	place	.Lhere35, "tick_nohz_restart", 0x60, local, function, 0x78
	.fill	29, 1, 0x90
	callto	0xffffffff8112968d, 0xffffffff81116e70
	.fill	50, 1, 0x90
	.section .text.036, "ax", @progbits
.Lhere36:
	place	.Lhere36, "futex_wait_setup", 0x0, local, function, 0xdb
	place	.Lhere36, "futex_wait_queue_me", 0xe0, local, function, 0x114
	.fill	112, 1, 0x90
	callto	0xffffffff8112bca0, 0xffffffff81539790
	.fill	57, 1, 0x90
	callto	0xffffffff8112bcde, 0xffffffff815396f0
	.fill	40, 1, 0x90
	.section .text.037, "ax", @progbits
.Lhere37:
	place	.Lhere37, "futex_wait", 0x0, local, function, 0x244
	.fill	201, 1, 0x90
	callto	0xffffffff8112bef9, 0xffffffff8112bc30
	.fill	16, 1, 0x90
	.section .text.038, "ax", @progbits
.Lhere38:
	place	.Lhere38, "futex_wait_restart", 0x1c, local, function, 0x69
	.fill	16, 1, 0x90
	.section .text.039, "ax", @progbits
.Lhere39:
	place	.Lhere39, "futex_lock_pi_atomic", 0x0, local, function, 0x1cc
	.fill	95, 1, 0x90
	callto	0xffffffff8112d1af, 0xffffffff81539790
	.fill	16, 1, 0x90
	.section .text.040, "ax", @progbits
.Lhere40:
	place	.Lhere40, "fixup_owner", 0x14, local, function, 0x9b
	place	.Lhere40, "futex_lock_pi", 0xb4, local, function, 0x441
	.fill	16, 1, 0x90
	.fill	4, 1, 0xcc
	.fill	155, 1, 0x90
	.fill	5, 1, 0xcc
	.fill	16, 1, 0x90
	.section .text.041, "ax", @progbits
.Lhere41:
	.fill	8, 1, 0x90
	callto	0xffffffff8112d4e0, 0xffffffff8112d150
	.fill	16, 1, 0x90
	.section .text.042, "ax", @progbits
.Lhere42:
	place	.Lhere42, "futex_requeue", 0x1f, local, function, 0x7f9
	.fill	16, 1, 0x90
	.section .text.043, "ax", @progbits
.Lhere43:
	place	.Lhere43, "do_futex", 0x0, globl, function, 0xbbb
	.fill	16, 1, 0x90
	.section .text.044, "ax", @progbits
.Lhere44:
	.fill	8, 1, 0x90
	callto	0xffffffff8112e9e3, 0xffffffff8112d3c0
	.fill	59, 1, 0x90
	callto	0xffffffff8112ea23, 0xffffffff8112be30
	.fill	16, 1, 0x90
	.section .text.045, "ax", @progbits
.Lhere45:
	.fill	30, 1, 0x90
	.section .text.046, "ax", @progbits
.Lhere46:
	.fill	40, 1, 0x90
	.section .text.047, "ax", @progbits
.Lhere47:
	.fill	98, 1, 0x90
	.section .text.048, "ax", @progbits
.Lhere48:
	place	.Lhere48, "__x64_sys_futex", 0x15, globl, function, 0x1c4
	.fill	16, 1, 0x90
	.fill	5, 1, 0xcc
	.fill	16, 1, 0x90
	.section .text.049, "ax", @progbits
.Lhere49:
	place	.Lhere49, "__ia32_sys_futex", 0x97, globl, function, 0x1c8
	.fill	8, 1, 0x90
	callto	0xffffffff8112f5b1, 0xffffffff8112e8b0
	.fill	126, 1, 0x90
	.section .text.050, "ax", @progbits
.Lhere50:
	place	.Lhere50, "on_each_cpu_mask", 0x0, globl, function, 0x69
	place	.Lhere50, "on_each_cpu_cond_mask", 0x70, globl, function, 0x84
	.fill	105, 1, 0x90
	.section .text.051, "ax", @progbits
.Lhere51:
	place	.Lhere51, "compat_get_bitmap", 0x0, globl, function, 0xa7
	place	.Lhere51, "__ia32_compat_sys_sched_setaffinity", 0xb0, globl, function, 0xb7
	place	.Lhere51, "compat_put_bitmap", 0x170, globl, function, 0x89
	place	.Lhere51, "perf_event_task_tick", 0xbe9d0, globl, function, 0x33d
	place	.Lhere51, "perf_event_read_local", 0xbed10, globl, function, 0x152
	.fill	167, 1, 0x90
	.fill	9, 1, 0xcc
	.fill	89, 1, 0x90
	callto	0xffffffff8113db69, 0xffffffff8113da60
	.fill	89, 1, 0x90
	.section .text.052, "ax", @progbits
.Lhere52:
	place	.Lhere52, "copy_from_kernel_nofault", 0x0, globl, function, 0xee
	place	.Lhere52, "copy_to_kernel_nofault", 0xf0, globl, function, 0x99
	.fill	238, 1, 0x90
	.section .text.053, "ax", @progbits
.Lhere53:
	place	.Lhere53, "vm_mmap_pgoff", 0x0, globl, function, 0x119
	.fill	16, 1, 0x90
	.section .text.054, "ax", @progbits
.Lhere54:
	place	.Lhere54, "vm_mmap", 0x3b, globl, function, 0x35
	place	.Lhere54, "get_user_pages_remote", 0x15ffb, globl, function, 0x7b
	place	.Lhere54, "pin_user_pages_remote", 0x1607b, globl, function, 0x23
	place	.Lhere54, "do_wp_page", 0x1a51b, local, function, 0x462
	place	.Lhere54, "unmap_mapping_page", 0x1a98b, globl, function, 0x126
	.fill	8, 1, 0x90
	callto	0xffffffff81234e3d, 0xffffffff81329e00
	.fill	39, 1, 0x90
	.section .text.055, "ax", @progbits
.Lhere55:
	place	.Lhere55, "handle_mm_fault", 0x0, globl, function, 0x1bf4
	.fill	16, 1, 0x90
	.section .text.056, "ax", @progbits
.Lhere56:
	.fill	8, 1, 0x90
	callto	0xffffffff81253e3d, 0xffffffff8124f350
	.fill	16, 1, 0x90
	.section .text.057, "ax", @progbits
.Lhere57:
	place	.Lhere57, "walk_to_pmd", 0x1c, local, function, 0xfd
	place	.Lhere57, "mmap_region", 0x7d3c, globl, function, 0x6fa
	.fill	16, 1, 0x90
	.section .text.058, "ax", @progbits
.Lhere58:
	place	.Lhere58, "do_mmap", 0x0, globl, function, 0x598
	.fill	16, 1, 0x90
	.section .text.059, "ax", @progbits
.Lhere59:
	.fill	8, 1, 0x90
	callto	0xffffffff8125d081, 0xffffffff8125c540
	.fill	16, 1, 0x90
	.section .text.060, "ax", @progbits
.Lhere60:
	place	.Lhere60, "__do_sys_remap_file_pages", 0x18, local, function, 0x263
	place	.Lhere60, "get_page_from_freelist", 0x140c8, local, function, 0x132c
	place	.Lhere60, "__alloc_pages_direct_compact", 0x153f8, local, function, 0x16e
	.fill	16, 1, 0x90
	.section .text.061, "ax", @progbits
.Lhere61:
	place	.Lhere61, "__alloc_pages_nodemask", 0x0, globl, function, 0x308
	.fill	16, 1, 0x90
	.section .text.062, "ax", @progbits
.Lhere62:
	.fill	8, 1, 0x90
	callto	0xffffffff8127376c, 0xffffffff81271290
	.fill	16, 1, 0x90
	.section .text.063, "ax", @progbits
.Lhere63:
	place	.Lhere63, "page_frag_alloc", 0x18, globl, function, 0x1ab
	.fill	16, 1, 0x90
	.section .text.064, "ax", @progbits
.Lhere64:
	place	.Lhere64, "do_sys_openat2", 0x0, local, function, 0x15d
	.fill	95, 1, 0x90
	callto	0xffffffff812c34cf, 0xffffffff812d9530
	.fill	16, 1, 0x90
	.section .text.065, "ax", @progbits
.Lhere65:
	place	.Lhere65, "file_open_name", 0x13, globl, function, 0x199
	.fill	16, 1, 0x90
	.section .text.066, "ax", @progbits
.Lhere66:
	place	.Lhere66, "__x64_sys_openat", 0x0, globl, function, 0x93
	place	.Lhere66, "__ia32_sys_openat", 0xa0, globl, function, 0x92
	place	.Lhere66, "__x64_sys_openat2", 0x140, globl, function, 0xc3
	place	.Lhere66, "__ia32_sys_openat2", 0x210, globl, function, 0xc1
	.fill	79, 1, 0x90
	callto	0xffffffff812c39df, 0xffffffff812c3470
	.fill	63, 1, 0x90
	.fill	13, 1, 0xcc
	.fill	146, 1, 0x90
	.fill	14, 1, 0xcc
	.fill	148, 1, 0x90
	callto	0xffffffff812c3b64, 0xffffffff814eda90
	.fill	42, 1, 0x90
	.section .text.067, "ax", @progbits
.Lhere67:
	place	.Lhere67, "new_sync_read", 0x0, local, function, 0x1a1
	.fill	16, 1, 0x90
	.section .text.068, "ax", @progbits
.Lhere68:
	place	.Lhere68, "new_sync_write", 0x29, local, function, 0x1b0
	.fill	26, 1, 0x90
	.fill	15, 1, 0xcc
	.fill	16, 1, 0x90
	.section .text.069, "ax", @progbits
.Lhere69:
	place	.Lhere69, "do_iter_readv_writev", 0x9f, local, function, 0x1af
	.fill	159, 1, 0x90
	.section .text.070, "ax", @progbits
.Lhere70:
	place	.Lhere70, "vfs_readv", 0x0, local, function, 0xa0
	place	.Lhere70, "do_readv", 0xa0, local, function, 0x113
	.fill	72, 1, 0x90
	callto	0xffffffff812c5398, 0xffffffff814ea380
	.fill	99, 1, 0x90
	.section .text.071, "ax", @progbits
.Lhere71:
	place	.Lhere71, "do_preadv", 0x47, local, function, 0xcb
	.fill	8, 1, 0x90
	callto	0xffffffff812c54d1, 0xffffffff812c5350
	.fill	45, 1, 0x90
	.section .text.072, "ax", @progbits
.Lhere72:
	place	.Lhere72, "vfs_read", 0x0, globl, function, 0x18c
	place	.Lhere72, "vfs_write", 0x190, globl, function, 0x270
	.fill	244, 1, 0x90
	callto	0xffffffff812c64e4, 0xffffffff812c4370
	.fill	147, 1, 0x90
	.fill	4, 1, 0xcc
	.fill	16, 1, 0x90
	.section .text.073, "ax", @progbits
.Lhere73:
	place	.Lhere73, "ksys_read", 0x9c, globl, function, 0xd8
	place	.Lhere73, "__x64_sys_read", 0x17c, globl, function, 0x16
	place	.Lhere73, "ksys_write", 0x1bc, globl, function, 0xd8
	place	.Lhere73, "__x64_sys_write", 0x29c, globl, function, 0x16
	.fill	8, 1, 0x90
	callto	0xffffffff812c675c, 0xffffffff812c4520
	.fill	233, 1, 0x90
	callto	0xffffffff812c684a, 0xffffffff812c63f0
	.fill	71, 1, 0x90
	callto	0xffffffff812c6896, 0xffffffff812c63f0
	.fill	45, 1, 0x90
	.fill	8, 1, 0xcc
	.fill	22, 1, 0x90
	.fill	10, 1, 0xcc
	.fill	20, 1, 0x90
	.fill	12, 1, 0xcc
	.fill	90, 1, 0x90
	callto	0xffffffff812c696a, 0xffffffff812c6580
	.fill	71, 1, 0x90
	callto	0xffffffff812c69b6, 0xffffffff812c6580
	.fill	45, 1, 0x90
	.section .text.074, "ax", @progbits
.Lhere74:
	place	.Lhere74, "__alloc_file", 0x0, local, function, 0x110
	place	.Lhere74, "__fput", 0x110, local, function, 0x245
	.fill	137, 1, 0x90
	callto	0xffffffff812c8399, 0xffffffff810e30e0
	.fill	130, 1, 0x90
	.section .text.075, "ax", @progbits
.Lhere75:
	place	.Lhere75, "get_arg_page", 0x0, local, function, 0x9f
	place	.Lhere75, "free_bprm", 0xa0, local, function, 0x98
	.fill	57, 1, 0x90
	callto	0xffffffff812cdfd9, 0xffffffff8124ae30
	.fill	97, 1, 0x90
	.section .text.076, "ax", @progbits
.Lhere76:
	place	.Lhere76, "count.constprop.0", 0x0, local, function, 0xb7
	place	.Lhere76, "remove_arg_zero", 0xc0, globl, function, 0x141
	.fill	45, 1, 0x90
	callto	0xffffffff812ce2cd, 0xffffffff81539720
	.fill	133, 1, 0x90
	.section .text.077, "ax", @progbits
.Lhere77:
	place	.Lhere77, "copy_strings.isra.0", 0x0, local, function, 0x36d
	.fill	166, 1, 0x90
	callto	0xffffffff812cebe6, 0xffffffff81521510
	.fill	16, 1, 0x90
	.section .text.078, "ax", @progbits
.Lhere78:
	place	.Lhere78, "finalize_exec", 0x13, globl, function, 0x6e
	.fill	16, 1, 0x90
	.section .text.079, "ax", @progbits
.Lhere79:
	place	.Lhere79, "do_execveat_common", 0x0, local, function, 0x21e
	.fill	181, 1, 0x90
	callto	0xffffffff812cf915, 0xffffffff812ce2a0
	.fill	16, 1, 0x90
	.section .text.080, "ax", @progbits
.Lhere80:
	place	.Lhere80, "path_noexec", 0x86, globl, function, 0x26
	.fill	8, 1, 0x90
	callto	0xffffffff812cfa02, 0xffffffff812ceb40
	.fill	119, 1, 0x90
	.section .text.081, "ax", @progbits
.Lhere81:
	place	.Lhere81, "__x64_sys_execve", 0x0, globl, function, 0x4b
	place	.Lhere81, "__ia32_sys_execve", 0x50, globl, function, 0x49
	.fill	52, 1, 0x90
	callto	0xffffffff812d0734, 0xffffffff812cf860
	.fill	18, 1, 0x90
	.section .text.082, "ax", @progbits
.Lhere82:
	place	.Lhere82, "pipe_ioctl", 0x0, local, function, 0x87
	place	.Lhere82, "generic_pipe_buf_try_steal", 0x90, globl, function, 0x69
	.fill	102, 1, 0x90
	callto	0xffffffff812d0a26, 0xffffffff8153bcb0
	.fill	28, 1, 0x90
	.section .text.083, "ax", @progbits
.Lhere83:
	place	.Lhere83, "pipe_read", 0x0, local, function, 0x3f2
	.fill	16, 1, 0x90
	.section .text.084, "ax", @progbits
.Lhere84:
	.fill	8, 1, 0x90
	callto	0xffffffff812d1145, 0xffffffff814e9180
	.fill	16, 1, 0x90
	.section .text.085, "ax", @progbits
.Lhere85:
	place	.Lhere85, "pipe_write", 0x1e, local, function, 0x67c
	.fill	16, 1, 0x90
	.fill	14, 1, 0xcc
	.fill	16, 1, 0x90
	.section .text.086, "ax", @progbits
.Lhere86:
	.fill	8, 1, 0x90
	callto	0xffffffff812d15d7, 0xffffffff814e99e0
	.fill	16, 1, 0x90
	.section .text.087, "ax", @progbits
.Lhere87:
	place	.Lhere87, "pipe_double_lock", 0x14, globl, function, 0x64
	.fill	16, 1, 0x90
	.section .text.088, "ax", @progbits
.Lhere88:
	place	.Lhere88, "full_name_hash", 0x0, globl, function, 0x93
	place	.Lhere88, "lookup_dcache", 0xa0, local, function, 0x60
	.fill	147, 1, 0x90
	.section .text.089, "ax", @progbits
.Lhere89:
	place	.Lhere89, "getname_flags.part.0", 0x0, local, function, 0x1ac
	.fill	64, 1, 0x90
	callto	0xffffffff812d9360, 0xffffffff815213c0
	.fill	16, 1, 0x90
	.section .text.090, "ax", @progbits
.Lhere90:
	place	.Lhere90, "getname_flags", 0x14, globl, function, 0x55
	place	.Lhere90, "getname", 0x74, globl, function, 0x41
	place	.Lhere90, "filename_parentat", 0xc4, local, function, 0x1cb
	.fill	16, 1, 0x90
	.section .text.091, "ax", @progbits
.Lhere91:
	place	.Lhere91, "do_vfs_ioctl", 0x0, local, function, 0x6ef
	.fill	16, 1, 0x90
	.section .text.092, "ax", @progbits
.Lhere92:
	.fill	8, 1, 0x90
	callto	0xffffffff812ddd3c, 0xffffffff815396f0
	.fill	16, 1, 0x90
	.section .text.093, "ax", @progbits
.Lhere93:
	.fill	24, 1, 0x90
	.section .text.094, "ax", @progbits
.Lhere94:
	place	.Lhere94, "__x64_sys_ioctl", 0x11, globl, function, 0xbc
	place	.Lhere94, "__ia32_sys_ioctl", 0xd1, globl, function, 0xbc
	.fill	16, 1, 0x90
	.fill	1, 1, 0xcc
	.fill	101, 1, 0x90
	callto	0xffffffff812de2b5, 0xffffffff812ddb60
	.fill	82, 1, 0x90
	.section .text.095, "ax", @progbits
.Lhere95:
	place	.Lhere95, "__x64_sys_pselect6", 0x0, globl, function, 0x87
	place	.Lhere95, "__ia32_sys_pselect6", 0x90, globl, function, 0x75
	.fill	135, 1, 0x90
	.section .text.096, "ax", @progbits
.Lhere96:
	place	.Lhere96, "__d_lookup", 0x0, globl, function, 0x124
	place	.Lhere96, "d_lookup", 0x130, globl, function, 0x41
	place	.Lhere96, "userfaultfd_unmap_complete", 0x43e40, globl, function, 0x106
	place	.Lhere96, "__x64_sys_userfaultfd", 0x43f50, globl, function, 0x104
	.fill	292, 1, 0x90
	.section .text.097, "ax", @progbits
.Lhere97:
	place	.Lhere97, "kernfs_fop_write_iter", 0x0, local, function, 0x1b4
	.fill	16, 1, 0x90
	.section .text.098, "ax", @progbits
.Lhere98:
	place	.Lhere98, "kernfs_seq_stop", 0xa3, local, function, 0x3a
	.fill	151, 1, 0x90
	.section .text.099, "ax", @progbits
.Lhere99:
	place	.Lhere99, "copy_page_to_iter", 0x0, globl, function, 0x378
	.fill	16, 1, 0x90
	.section .text.100, "ax", @progbits
.Lhere100:
	.fill	8, 1, 0x90
	callto	0xffffffff814e9259, 0xffffffff81538cf0
	.fill	16, 1, 0x90
	.section .text.101, "ax", @progbits
.Lhere101:
	place	.Lhere101, "hash_and_copy_to_iter", 0x18, globl, function, 0xae
	.fill	16, 1, 0x90
	.section .text.102, "ax", @progbits
.Lhere102:
	place	.Lhere102, "copy_page_from_iter", 0x0, globl, function, 0x25a
	.fill	16, 1, 0x90
	.section .text.103, "ax", @progbits
.Lhere103:
	.fill	8, 1, 0x90
	callto	0xffffffff814e9aba, 0xffffffff81538cf0
	.fill	16, 1, 0x90
	.section .text.104, "ax", @progbits
.Lhere104:
	place	.Lhere104, "csum_and_copy_from_iter", 0x16, globl, function, 0x48f
	.fill	16, 1, 0x90
	.section .text.105, "ax", @progbits
.Lhere105:
	place	.Lhere105, "iovec_from_user", 0x0, globl, function, 0x172
	place	.Lhere105, "__import_iovec", 0x180, globl, function, 0x12d
	.fill	86, 1, 0x90
	callto	0xffffffff814ea126, 0xffffffff814edb90
	.fill	279, 1, 0x90
	.fill	14, 1, 0xcc
	.fill	35, 1, 0x90
	callto	0xffffffff814ea273, 0xffffffff814ea0d0
	.fill	16, 1, 0x90
	.section .text.106, "ax", @progbits
.Lhere106:
	place	.Lhere106, "import_iovec", 0x13, globl, function, 0x1d
	place	.Lhere106, "iov_iter_restore", 0x33, globl, function, 0x6a
	.fill	16, 1, 0x90
	.fill	3, 1, 0xcc
	.fill	18, 1, 0x90
	callto	0xffffffff814ea392, 0xffffffff814ea250
	.fill	6, 1, 0x90
	.section .text.107, "ax", @progbits
.Lhere107:
	place	.Lhere107, "check_zeroed_user", 0x0, globl, function, 0xcb
	place	.Lhere107, "_copy_to_user", 0xd0, globl, function, 0x2b
	place	.Lhere107, "_copy_from_user", 0x100, globl, function, 0x61
	place	.Lhere107, "errseq_sample", 0x170, globl, function, 0x12
	.fill	203, 1, 0x90
	.fill	5, 1, 0xcc
	.fill	43, 1, 0x90
	.fill	5, 1, 0xcc
	.fill	38, 1, 0x90
	callto	0xffffffff814edbb6, 0xffffffff81538cf0
	.fill	54, 1, 0x90
	.section .text.108, "ax", @progbits
.Lhere108:
	place	.Lhere108, "strncpy_from_user", 0x0, globl, function, 0x150
	place	.Lhere108, "strnlen_user", 0x150, globl, function, 0x126
	place	.Lhere108, "mac_pton", 0x280, globl, function, 0xa7
	place	.Lhere108, "rb_insert_color", 0xb060, globl, function, 0x12d
	place	.Lhere108, "__rb_insert_augmented", 0xb190, globl, function, 0x1d0
	.fill	630, 1, 0x90
	.section .text.109, "ax", @progbits
.Lhere109:
	place	.Lhere109, "__siphash_unaligned", 0x0, globl, function, 0x227
	.fill	223, 1, 0x90
	.section .text.110, "ax", @progbits
.Lhere110:
	place	.Lhere110, "siphash_1u64", 0x19, globl, function, 0x1e5
	.fill	16, 1, 0x90
	.section .text.111, "ax", @progbits
.Lhere111:
	place	.Lhere111, "timerqueue_add", 0x0, globl, function, 0xab
	place	.Lhere111, "timerqueue_iterate_next", 0xb0, globl, function, 0x11
	.fill	149, 1, 0x90
	callto	0xffffffff8152f3c5, 0xffffffff8152c420
	.fill	17, 1, 0x90
	.section .text.112, "ax", @progbits
.Lhere112:
	place	.Lhere112, "copy_mc_enhanced_fast_string", 0x0, globl, function, 0xf
	place	.Lhere112, "copy_page", 0x10, globl, function, 0xf
	.fill	10, 1, 0x90
	jump	0xffffffff81538bfa, 0xffffffff81c02140
	.fill	1, 1, 0xcc
	.section .text.113, "ax", @progbits
.Lhere113:
	place	.Lhere113, "copy_user_generic_unrolled", 0x0, globl, function, 0xb6
	place	.Lhere113, "copy_user_generic_string", 0xc0, globl, function, 0x3d
	place	.Lhere113, "copy_user_enhanced_fast_string", 0x100, globl, function, 0x1a
	place	.Lhere113, "__copy_user_nocache", 0x140, globl, function, 0xe6
	place	.Lhere113, "x86_family", 0x230, globl, function, 0x26
	.fill	177, 1, 0x90
	jump	0xffffffff81538da1, 0xffffffff81c02140
	.fill	10, 1, 0xcc
	.fill	56, 1, 0x90
	jump	0xffffffff81538de8, 0xffffffff81c02140
	.fill	3, 1, 0xcc
	.fill	6, 1, 0x90
	branch	2, 0xffffffff81538df6, 0xffffffff81538d6c
	.fill	9, 1, 0x90
	jump	0xffffffff81538e05, 0xffffffff81c02140
	.fill	6, 1, 0xcc
	.nops	2, 2
	.nops	3, 3
	branch_short	4, 0xffffffff81538e15, 0xffffffff81538e23
	.nops	2, 2
	.nops	2, 2
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	jump	0xffffffff81538e1e, 0xffffffff81c02140
	.nops	2, 2
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	jump	0xffffffff81538e28, 0xffffffff81c02140
	.fill	3, 1, 0xcc
	.fill	225, 1, 0x90
	jump	0xffffffff81538f11, 0xffffffff81c02140
	.section .text.114, "ax", @progbits
.Lhere114:
	place	.Lhere114, "__get_user_1", 0x0, globl, function, 0x29
	place	.Lhere114, "__get_user_2", 0x30, globl, function, 0x29
	place	.Lhere114, "__get_user_4", 0x60, globl, function, 0x28
	place	.Lhere114, "__get_user_8", 0x90, globl, function, 0x29
	place	.Lhere114, "__get_user_nocheck_1", 0xc0, globl, function, 0x13
	place	.Lhere114, "__get_user_nocheck_2", 0xe0, globl, function, 0x13
	place	.Lhere114, "__get_user_nocheck_4", 0x100, globl, function, 0x12
	place	.Lhere114, "__get_user_nocheck_8", 0x120, globl, function, 0x13
	place	.Lhere114, "bad_get_user", 0x143, local, notype, 0x0
	.fill	13, 1, 0x90
	branch	3, 0xffffffff8153969d, 0xffffffff815397d3
	.fill	17, 1, 0x90
	jump	0xffffffff815396b4, 0xffffffff81c02140
	.fill	7, 1, 0xcc
	.fill	13, 1, 0x90
	branch	3, 0xffffffff815396cd, 0xffffffff815397d3
	.fill	17, 1, 0x90
	jump	0xffffffff815396e4, 0xffffffff81c02140
	.fill	7, 1, 0xcc
	.fill	13, 1, 0x90
	branch	3, 0xffffffff815396fd, 0xffffffff815397d3
	.fill	16, 1, 0x90
	jump	0xffffffff81539713, 0xffffffff81c02140
	.fill	8, 1, 0xcc
	.fill	13, 1, 0x90
	branch	3, 0xffffffff8153972d, 0xffffffff815397d3
	.fill	17, 1, 0x90
	jump	0xffffffff81539744, 0xffffffff81c02140
	.fill	7, 1, 0xcc
	.fill	14, 1, 0x90
	jump	0xffffffff8153975e, 0xffffffff81c02140
	.fill	13, 1, 0xcc
	.fill	14, 1, 0x90
	jump	0xffffffff8153977e, 0xffffffff81c02140
	.fill	13, 1, 0xcc
	.fill	13, 1, 0x90
	jump	0xffffffff8153979d, 0xffffffff81c02140
	.fill	14, 1, 0xcc
	.fill	14, 1, 0x90
	jump	0xffffffff815397be, 0xffffffff81c02140
	.fill	13, 1, 0xcc
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	.nops	2, 2
	.nops	7, 7
	jump	0xffffffff815397dc, 0xffffffff81c02140
	.section .text.115, "ax", @progbits
.Lhere115:
	place	.Lhere115, "__put_user_1", 0x0, globl, function, 0x1e
	place	.Lhere115, "__put_user_nocheck_1", 0xf, globl, notype, 0x0
	place	.Lhere115, "__put_user_2", 0x20, globl, function, 0x1f
	place	.Lhere115, "__put_user_nocheck_2", 0x2f, globl, notype, 0x0
	place	.Lhere115, "__put_user_4", 0x40, globl, function, 0x1e
	place	.Lhere115, "__put_user_nocheck_4", 0x4f, globl, notype, 0x0
	place	.Lhere115, "__put_user_8", 0x60, globl, function, 0x1f
	place	.Lhere115, "__put_user_nocheck_8", 0x6f, globl, notype, 0x0
	place	.Lhere115, "copy_from_user_nmi", 0x90, globl, function, 0xad
	place	.Lhere115, "__clear_user", 0x140, globl, function, 0x4b
	place	.Lhere115, "clean_cache_range", 0x190, local, function, 0x33
	place	.Lhere115, "clear_user", 0x1e0, globl, function, 0x29
	place	.Lhere115, "__memcpy_flushcache", 0x210, globl, function, 0x14a
	.fill	13, 1, 0x90
	branch_short	3, 0xffffffff8153bc7d, 0xffffffff8153bcf3
	.fill	10, 1, 0x90
	jump	0xffffffff8153bc89, 0xffffffff81c02140
	.fill	2, 1, 0xcc
	.fill	13, 1, 0x90
	branch_short	3, 0xffffffff8153bc9d, 0xffffffff8153bcf3
	.fill	11, 1, 0x90
	jump	0xffffffff8153bcaa, 0xffffffff81c02140
	.fill	1, 1, 0xcc
	.fill	13, 1, 0x90
	branch_short	3, 0xffffffff8153bcbd, 0xffffffff8153bcf3
	.fill	10, 1, 0x90
	jump	0xffffffff8153bcc9, 0xffffffff81c02140
	.fill	2, 1, 0xcc
	.fill	13, 1, 0x90
	branch_short	3, 0xffffffff8153bcdd, 0xffffffff8153bcf3
	.fill	11, 1, 0x90
	jump	0xffffffff8153bcea, 0xffffffff81c02140
	.fill	1, 1, 0xcc
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	.nops	5, 5
	jump	0xffffffff8153bcf8, 0xffffffff81c02140
	.fill	3, 1, 0xcc
	.fill	173, 1, 0x90
	.fill	3, 1, 0xcc
	.fill	70, 1, 0x90
	jump	0xffffffff8153bdf6, 0xffffffff81c02140
	.section .text.116, "ax", @progbits
.Lhere116:
	place	.Lhere116, "read_zero", 0x0, local, function, 0xa5
	place	.Lhere116, "read_iter_zero", 0xb0, local, function, 0xaf
	place	.Lhere116, "show_stack", 0x24f638, globl, function, 0x45
	place	.Lhere116, "show_stack_regs", 0x24f67d, globl, function, 0x1f
	.fill	99, 1, 0x90
	callto	0xffffffff81626733, 0xffffffff8153be50
	.fill	61, 1, 0x90
	.section .text.117, "ax", @progbits
.Lhere117:
	place	.Lhere117, "dump_stack", 0x0, globl, function, 0x83
	place	.Lhere117, "find_cpio_data.cold", 0x83, local, function, 0x2b
	.fill	102, 1, 0x90
	callto	0xffffffff8188fd00, 0xffffffff81875d08
	.fill	24, 1, 0x90
	.section .text.118, "ax", @progbits
.Lhere118:
	place	.Lhere118, "do_syscall_64", 0x0, globl, function, 0x40
	place	.Lhere118, "do_int80_syscall_32", 0x40, globl, function, 0x4b
	place	.Lhere118, "do_fast_syscall_32", 0x90, globl, function, 0x6f
	place	.Lhere118, "default_do_nmi", 0x1760, local, function, 0x142
	.fill	139, 1, 0x90
	.section .text.119, "ax", @progbits
.Lhere119:
	place	.Lhere119, "exc_nmi", 0x0, globl, function, 0x165
	.fill	16, 1, 0x90
	.section .text.120, "ax", @progbits
.Lhere120:
	place	.Lhere120, "exc_nmi_noist", 0x2e, globl, function, 0x5
	.fill	8, 1, 0x90
	callto	0xffffffff818a73ca, 0xffffffff818a7130
	.fill	22, 1, 0x90
	.section .text.121, "ax", @progbits
.Lhere121:
	place	.Lhere121, "sysvec_apic_timer_interrupt", 0x0, globl, function, 0x7b
	place	.Lhere121, "spurious_interrupt", 0x80, globl, function, 0x10e
	.fill	49, 1, 0x90
	callto	0xffffffff818a7971, 0xffffffff81088f70
	.fill	69, 1, 0x90
	.section .text.122, "ax", @progbits
.Lhere122:
	place	.Lhere122, "syscall_exit_to_user_mode", 0x0, globl, function, 0x13c
	.fill	35, 1, 0x90
	callto	0xffffffff818a8663, 0xffffffff81110e80
	.fill	16, 1, 0x90
	.section .text.123, "ax", @progbits
.Lhere123:
	place	.Lhere123, "irqentry_enter_from_user_mode", 0x14, globl, function, 0x5
	.fill	16, 1, 0x90
	.section .text.124, "ax", @progbits
.Lhere124:
	place	.Lhere124, "entry_SYSCALL_64_after_hwframe", 0x0, globl, notype, 0x0
	place	.Lhere124, "syscall_return_via_sysret", 0xd1, local, notype, 0x0
	place	.Lhere124, "asm_sysvec_apic_timer_interrupt", 0xd38, globl, notype, 0x17
	place	.Lhere124, "asm_sysvec_x86_platform_ipi", 0xd58, globl, notype, 0x17
	.fill	209, 1, 0xcc
	.section .text.125, "ax", @progbits
.Lhere125:
	place	.Lhere125, "asm_load_gs_index", 0x0, globl, function, 0x10
	place	.Lhere125, "asm_call_irq_on_stack", 0x10, globl, notype, 0x0
	place	.Lhere125, "asm_call_sysvec_on_stack", 0x10, globl, notype, 0x0
	place	.Lhere125, "asm_call_on_stack", 0x10, globl, function, 0x18
	place	.Lhere125, "exc_xen_hypervisor_callback", 0x30, local, notype, 0xd
	.fill	16, 1, 0x90
	.section .text.126, "ax", @progbits
.Lhere126:
	place	.Lhere126, "end_repeat_nmi", 0x0, local, notype, 0x0
	place	.Lhere126, "nmi_no_fsgsbase", 0x67, local, notype, 0x0
	place	.Lhere126, "entry_INT80_compat", 0x288, globl, notype, 0xad
	place	.Lhere126, "_paravirt_nop", 0x335, globl, function, 0x5
	.fill	103, 1, 0xcc
	.section .text.127, "ax", @progbits
.Lhere127:
	place	.Lhere127, "__static_call_text_end", 0x0, globl, notype, 0x0
	.nops	3, 3
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	.nops	1, 1
	.nops	2, 2
	.nops	2, 2
	jump	0xffffffff81c017d3, 0xffffffff81a010d5
	.fill	186, 1, 0xcc
	.nops	2, 2
	jump	0xffffffff81c01894, 0xffffffff8102ed23
	.nops	2, 2
	jump	0xffffffff81c0189b, 0xffffffff8102ed2c
	.fill	55, 1, 0xcc
	.nops	2, 2
	jump	0xffffffff81c018d9, 0xffffffff81037f14
	.nops	2, 2
	jump	0xffffffff81c018e0, 0xffffffff81037fb4
	.section .text.128, "ax", @progbits
.Lhere128:
	place	.Lhere128, ".E_copy", 0x261, local, notype, 0x0
	place	.Lhere128, "__indirect_thunk_start", 0x33b, globl, notype, 0x0
	.nops	5, 5
	jump	0xffffffff81c01a98, 0xffffffff8112ee89
	.nops	5, 5
	jump	0xffffffff81c01aa2, 0xffffffff8112f128
	.nops	5, 5
	jump	0xffffffff81c01aac, 0xffffffff8112f334
	.nops	5, 5
	jump	0xffffffff81c01ab6, 0xffffffff8112f357
	.nops	5, 5
	jump	0xffffffff81c01ac0, 0xffffffff8112f36e
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01acc, 0xffffffff8113daa7
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01ad8, 0xffffffff8113dab1
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01ae4, 0xffffffff8113dad9
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01af0, 0xffffffff81219736
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01afc, 0xffffffff81219768
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01b08, 0xffffffff81219786
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01b14, 0xffffffff812197a3
	.fill	12, 1, 0xcc
	.nops	3, 3
	.nops	4, 4
	.nops	3, 3
	.nops	2, 2
	.nops	3, 3
	.nops	3, 3
	.nops	3, 3
	jump	0xffffffff81c01b3a, 0xffffffff812d37b7
	.fill	58, 1, 0xcc
	.nops	5, 5
	.nops	3, 3
	jump	0xffffffff81c01b81, 0xffffffff812e187c
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01b8d, 0xffffffff812e1884
	.fill	179, 1, 0xcc
	.nops	3, 3
	.nops	4, 4
	.nops	3, 3
	.nops	2, 2
	.nops	3, 3
	.nops	3, 3
	.nops	3, 3
	jump	0xffffffff81c01c5a, 0xffffffff812e608b
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01c66, 0xffffffff814ea1c9
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01c72, 0xffffffff814ea1d0
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01c7e, 0xffffffff814edad0
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01c8a, 0xffffffff814edafa
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01c96, 0xffffffff81521481
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01ca2, 0xffffffff815214a3
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01cae, 0xffffffff81521577
	.nops	5, 5
	.nops	2, 2
	jump	0xffffffff81c01cba, 0xffffffff815215d3
	.nops	3, 3
	.nops	4, 4
	.nops	3, 3
	.nops	2, 2
	.nops	3, 3
	.nops	3, 3
	.nops	3, 3
	jump	0xffffffff81c01cd4, 0xffffffff8152d1af
	.fill	27, 1, 0xcc
	.nops	3, 3
	jump	0xffffffff81c01cf7, 0xffffffff81c02140
	.nops	2, 2
	jump	0xffffffff81c01cfe, 0xffffffff81538e10
	.nops	3, 3
	.nops	2, 2
	jump_short	0xffffffff81c01d08, 0xffffffff81c01d11
	.nops	3, 3
	jump_short	0xffffffff81c01d0d, 0xffffffff81c01d11
	.nops	2, 2
	jump	0xffffffff81c01d11, 0xffffffff81538e10
	.nops	2, 2
	jump	0xffffffff81c01d18, 0xffffffff81538e10
	.nops	3, 3
	.nops	2, 2
	jump	0xffffffff81c01d22, 0xffffffff81538e10
	.nops	2, 2
	jump	0xffffffff81c01d29, 0xffffffff81538e10
	.nops	2, 2
	jump	0xffffffff81c01d30, 0xffffffff81538e10
	.nops	3, 3
	.nops	2, 2
	jump_short	0xffffffff81c01d3a, 0xffffffff81c01d4a
	.nops	4, 4
	jump_short	0xffffffff81c01d40, 0xffffffff81c01d4a
	.nops	4, 4
	jump_short	0xffffffff81c01d46, 0xffffffff81c01d4a
	.nops	2, 2
	.nops	3, 3
	jump	0xffffffff81c01d4d, 0xffffffff81538e10
	.nops	4, 4
	jump	0xffffffff81c01d56, 0xffffffff8153bdf0
	.section .text.129, "ax", @progbits
.Lhere129:
	place	.Lhere129, "__x86_return_thunk", 0x0, globl, notype, 0x2
	place	.Lhere129, "__indirect_thunk_end", 0x2, globl, notype, 0x0
	place	.Lhere129, "_etext", 0x2, globl, notype, 0x0
	ret
	int3

	.section .rodata, "a", @progbits
	.globl	linux_banner
	.type	linux_banner, @object
linux_banner:
	.asciz	"Linux version 5.10.0-32-cloud-amd64 (numbers only, no kernel code)\n"
	.size	linux_banner, . - linux_banner

	.section __ex_table, "a", @progbits
	.globl	__start___ex_table
__start___ex_table:
.Ltable:
	entry	0xffffffff8102a0e8, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a0ed, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a106, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a111, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a11d, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a14b, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a153, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a15c, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a165, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a174, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a180, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a18c, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a198, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1a4, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1b0, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1b9, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1c2, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1cb, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1d4, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1dd, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1e6, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a1ee, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a203, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a21b, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a22a, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a239, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a248, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a251, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a25c, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a26e, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a277, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a282, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a29a, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102a2a2, 0xffffffff8102a3b7, 0xffffffff8106c080
	entry	0xffffffff8102ed23, 0xffffffff81c01892, 0xffffffff8106c000
	entry	0xffffffff8102ed2c, 0xffffffff81c01899, 0xffffffff8106c000
	entry	0xffffffff81037f0e, 0xffffffff81c018d7, 0xffffffff8106c020
	entry	0xffffffff81037faf, 0xffffffff81c018de, 0xffffffff8106c020
	entry	0xffffffff81038028, 0xffffffff8103802c, 0xffffffff8106c1e0
	entry	0xffffffff81038051, 0xffffffff81038055, 0xffffffff8106c1e0
	entry	0xffffffff8112ee83, 0xffffffff81c01a93, 0xffffffff8106c080
	entry	0xffffffff8112f118, 0xffffffff81c01a9d, 0xffffffff8106c080
	entry	0xffffffff8112f120, 0xffffffff81c01a9d, 0xffffffff8106c080
	entry	0xffffffff8112f324, 0xffffffff81c01aa7, 0xffffffff8106c080
	entry	0xffffffff8112f32c, 0xffffffff81c01aa7, 0xffffffff8106c080
	entry	0xffffffff8112f347, 0xffffffff81c01ab1, 0xffffffff8106c080
	entry	0xffffffff8112f34f, 0xffffffff81c01ab1, 0xffffffff8106c080
	entry	0xffffffff8112f36a, 0xffffffff81c01abb, 0xffffffff8106c080
	entry	0xffffffff8113daa5, 0xffffffff81c01ac5, 0xffffffff8106c080
	entry	0xffffffff8113daaf, 0xffffffff81c01ad1, 0xffffffff8106c080
	entry	0xffffffff8113dad7, 0xffffffff81c01add, 0xffffffff8106c080
	entry	0xffffffff81219733, 0xffffffff81c01ae9, 0xffffffff8106c080
	entry	0xffffffff81219766, 0xffffffff81c01af5, 0xffffffff8106c080
	entry	0xffffffff81219783, 0xffffffff81c01b01, 0xffffffff8106c080
	entry	0xffffffff812197a1, 0xffffffff81c01b0d, 0xffffffff8106c080
	entry	0xffffffff812d37b4, 0xffffffff81c01b25, 0xffffffff8106c000
	entry	0xffffffff812e1879, 0xffffffff81c01b79, 0xffffffff8106c080
	entry	0xffffffff812e1880, 0xffffffff81c01b86, 0xffffffff8106c080
	entry	0xffffffff812e6088, 0xffffffff81c01c45, 0xffffffff8106c000
	entry	0xffffffff814ea1c7, 0xffffffff81c01c5f, 0xffffffff8106c080
	entry	0xffffffff814ea1cd, 0xffffffff81c01c6b, 0xffffffff8106c080
	entry	0xffffffff814edacd, 0xffffffff81c01c77, 0xffffffff8106c080
	entry	0xffffffff814edaf7, 0xffffffff81c01c83, 0xffffffff8106c080
	entry	0xffffffff8152147c, 0xffffffff81c01c8f, 0xffffffff8106c080
	entry	0xffffffff8152149f, 0xffffffff81c01c9b, 0xffffffff8106c080
	entry	0xffffffff81521574, 0xffffffff81c01ca7, 0xffffffff8106c080
	entry	0xffffffff815215ce, 0xffffffff81c01cb3, 0xffffffff8106c080
	entry	0xffffffff8152d1ac, 0xffffffff81c01cbf, 0xffffffff8106c000
	entry	0xffffffff81538bf6, 0xffffffff81c01cf4, 0xffffffff8106c020
	entry	0xffffffff81538d0a, 0xffffffff81c01cfc, 0xffffffff8106c0e0
	entry	0xffffffff81538d0c, 0xffffffff81c01cfc, 0xffffffff8106c0e0
	entry	0xffffffff81538d22, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d25, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d29, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d2d, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d31, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d34, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d38, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d3c, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d40, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d44, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d48, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d4c, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d50, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d54, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d58, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d5c, 0xffffffff81c01d03, 0xffffffff8106c0e0
	entry	0xffffffff81538d76, 0xffffffff81c01d0a, 0xffffffff8106c0e0
	entry	0xffffffff81538d79, 0xffffffff81c01d0a, 0xffffffff8106c0e0
	entry	0xffffffff81538d8e, 0xffffffff81c01d0f, 0xffffffff8106c0e0
	entry	0xffffffff81538d90, 0xffffffff81c01d0f, 0xffffffff8106c0e0
	entry	0xffffffff81538dc6, 0xffffffff81c01d16, 0xffffffff8106c0e0
	entry	0xffffffff81538dc8, 0xffffffff81c01d16, 0xffffffff8106c0e0
	entry	0xffffffff81538ddc, 0xffffffff81c01d1d, 0xffffffff8106c0e0
	entry	0xffffffff81538de1, 0xffffffff81c01d20, 0xffffffff8106c0e0
	entry	0xffffffff81538dfe, 0xffffffff81c01d27, 0xffffffff8106c0e0
	entry	0xffffffff81538e17, 0xffffffff81538e19, 0xffffffff8106c0e0
	entry	0xffffffff81538e4a, 0xffffffff81c01d2e, 0xffffffff8106c0e0
	entry	0xffffffff81538e4c, 0xffffffff81c01d2e, 0xffffffff8106c0e0
	entry	0xffffffff81538e62, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e65, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e69, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e6d, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e71, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e75, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e7a, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e7f, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e84, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e88, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e8c, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e90, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e94, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e99, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538e9e, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538ea3, 0xffffffff81c01d35, 0xffffffff8106c0e0
	entry	0xffffffff81538ebe, 0xffffffff81c01d3c, 0xffffffff8106c0e0
	entry	0xffffffff81538ec1, 0xffffffff81c01d3c, 0xffffffff8106c0e0
	entry	0xffffffff81538ee6, 0xffffffff81c01d42, 0xffffffff8106c0e0
	entry	0xffffffff81538ee9, 0xffffffff81c01d42, 0xffffffff8106c0e0
	entry	0xffffffff81538efb, 0xffffffff81c01d48, 0xffffffff8106c0e0
	entry	0xffffffff81538efd, 0xffffffff81c01d48, 0xffffffff8106c0e0
	entry	0xffffffff815396ac, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff815396dc, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff8153970c, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff8153973c, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff81539756, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff81539776, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff81539796, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff815397b6, 0xffffffff815397d0, 0xffffffff8106c080
	entry	0xffffffff8153bc82, 0xffffffff8153bcf0, 0xffffffff8106c080
	entry	0xffffffff8153bca2, 0xffffffff8153bcf0, 0xffffffff8106c080
	entry	0xffffffff8153bcc2, 0xffffffff8153bcf0, 0xffffffff8106c080
	entry	0xffffffff8153bce2, 0xffffffff8153bcf0, 0xffffffff8106c080
	entry	0xffffffff8153bdd0, 0xffffffff81c01d52, 0xffffffff8106c080
	entry	0xffffffff8153bde6, 0xffffffff8153bdf0, 0xffffffff8106c080
	entry	0xffffffff81a010d3, 0xffffffff81c017c5, 0xffffffff8106c000
	.globl	__stop___ex_table
__stop___ex_table:

	.section .altinstructions, "a", @progbits
	.long	0xffffffff814e9259 - 0xffffffff82e54a30, 0xffffffff82e57874 - 0xffffffff82e54a34
	.word	0x70
	.byte	5, 5
	.long	0xffffffff814e9259 - 0xffffffff82e54a3c, 0xffffffff82e57879 - 0xffffffff82e54a40
	.word	0x129
	.byte	5, 5
	.long	0xffffffff814e9aba - 0xffffffff82e54a48, 0xffffffff82e5787e - 0xffffffff82e54a4c
	.word	0x70
	.byte	5, 5
	.long	0xffffffff814e9aba - 0xffffffff82e54a54, 0xffffffff82e57883 - 0xffffffff82e54a58
	.word	0x129
	.byte	5, 5
	.long	0xffffffff814edbb6 - 0xffffffff82e54a60, 0xffffffff82e57888 - 0xffffffff82e54a64
	.word	0x70
	.byte	5, 5
	.long	0xffffffff814edbb6 - 0xffffffff82e54a6c, 0xffffffff82e5788d - 0xffffffff82e54a70
	.word	0x129
	.byte	5, 5

	.section .altinstr_replacement, "ax", @progbits
	callto	0xffffffff82e57874, 0xffffffff81538db0
	callto	0xffffffff82e57879, 0xffffffff81538df0
	callto	0xffffffff82e5787e, 0xffffffff81538db0
	callto	0xffffffff82e57883, 0xffffffff81538df0
	callto	0xffffffff82e57888, 0xffffffff81538db0
	callto	0xffffffff82e5788d, 0xffffffff81538df0
