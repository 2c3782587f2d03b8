// SPDX-License-Identifier: GPL-2.0
/*
 * krel.ko: `echo TAG > /sys/module/krel/parameters/go` prints, for every task and every CPU's idle task, what
 * stack_trace_save_tsk_reliable(task, entries, 100) answers, which is the question that klp_check_stack() asks:
 *   REL pid cpu-if-idle task state on_cpu patch_state thread-flags flags answer comm
 *   E address symbol                     one line per entry, if the answer is their number
 */
#include <linux/version.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

/* Not exported; init reads the addresses in /proc/kallsyms. */
static unsigned long fnaddr, idleaddr;
module_param(fnaddr, ulong, 0);		/* stack_trace_save_tsk_reliable */
module_param(idleaddr, ulong, 0);	/* idle_task */

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0)
#define STATE(t) READ_ONCE((t)->__state)
#else
#define STATE(t) ((t)->state)
#endif

static unsigned long entries[100];

static void one(struct task_struct *t, int cpu)
{
	int (*reliable)(struct task_struct *, unsigned long *, unsigned int) = (void *)fnaddr;
	int i, r;

	memset(entries, 0, sizeof(entries));
	r = reliable(t, entries, ARRAY_SIZE(entries));
	pr_info("REL %d %d %px %lx %d %d %lx %x %d %s\n", t->pid, cpu, t, (long)STATE(t), t->on_cpu, t->patch_state,
		(unsigned long)task_thread_info(t)->flags, t->flags, r, t->comm);
	for (i = 0; i < r; i++)
		pr_info("E %lx %pS\n", entries[i], (void *)entries[i]);
}

static int go(const char *val, const struct kernel_param *kp)
{
	struct task_struct *(*idle)(int) = (void *)idleaddr;
	struct task_struct *g, *t;
	int c;

	pr_info("REL-BEGIN %s\n", val);
	rcu_read_lock();
	for_each_process_thread(g, t)
		one(t, -1);
	if (idle)
		for_each_possible_cpu(c)
			one(idle(c), c);
	rcu_read_unlock();
	pr_info("REL-END\n");
	return 0;
}

static const struct kernel_param_ops ops = { .set = go };
module_param_cb(go, &ops, NULL, 0200);

static int __init krel_init(void)
{
	return fnaddr ? 0 : -EINVAL;
}

static void __exit krel_exit(void) { }

module_init(krel_init);
module_exit(krel_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("reliable stack verdicts");
