# As kpatch-build lays it out (0.3-0.9): one function of the vmlinux, one of a module, each in a section of its own.
	.include "common.inc"
	info	livepatch_kpatch
	new	vfs_first .text.vfs_first
	new	drv_third .text.drv_third

	.section .kpatch.strings, "a"
s_vmlinux: .asciz "vmlinux"
s_first:   .asciz "vfs_first"
s_module:  .asciz "driver"
s_third:   .asciz "drv_third"

	.section .kpatch.funcs, "a"
	.balign	8
	.quad	vfs_first, 6, 0xffffffff81234560, 0x120, 3, s_first, s_vmlinux
	.quad	drv_third, 6, 0x40, 0x30, 0, s_third, s_module
