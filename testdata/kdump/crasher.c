// SPDX-License-Identifier: GPL-2.0
/*
 * crasher.ko: ends its kernel in many ways.
 *
 *	echo NAME > /sys/module/crasher/parameters/crash
 *
 * The functions between the trigger and the end have names of their own, are not inlined and do something after each
 * call, so that each has a frame, which the kernel's own trace shows, too.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/nmi.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <asm/nmi.h>

static int steps; /* what is done after a call */
static bool at_exit, deaf, panic_in_nmi;
static bool is_deaf; /* the CPU has got there */
module_param(is_deaf, bool, 0444);
static int deaf_cpu = 1;
module_param(deaf_cpu, int, 0644);

/* A number that the compiler does not know. */
static noinline unsigned long unknown(unsigned long n)
{
	OPTIMIZER_HIDE_VAR(n);
	return n;
}

/* A page fault below a recursion. */
static noinline void null_write(unsigned long at)
{
	WRITE_ONCE(*(int *)unknown(at), 1);
	WRITE_ONCE(steps, steps + 1);
}

static noinline void null_middle(unsigned long depth)
{
	if (unknown(depth) > 0)
		null_middle(depth - 1);
	else
		null_write(8);
	WRITE_ONCE(steps, steps + 2);
}

static noinline void crash_null(void)
{
	null_middle(2);
	WRITE_ONCE(steps, steps + 3);
}

/* A general protection fault: an address that is none. */
static noinline void crash_gp(void)
{
	WRITE_ONCE(steps, READ_ONCE(*(int *)unknown(0xdead4ead00000100UL)));
	WRITE_ONCE(steps, steps + 1);
}

static noinline void panic_here(const char *where)
{
	panic("crasher: in %s", where);
	WRITE_ONCE(steps, steps + 1);
}

static noinline void crash_panic(void)
{
	panic_here("a system call");
	WRITE_ONCE(steps, steps + 1);
}

/* A timer's interrupt. */
static struct hrtimer timer;

static enum hrtimer_restart timer_rang(struct hrtimer *t)
{
	panic_here("an interrupt");
	WRITE_ONCE(steps, steps + 1);
	return HRTIMER_NORESTART;
}

static noinline void crash_irq(void)
{
	hrtimer_start(&timer, ms_to_ktime(10), HRTIMER_MODE_REL);
	msleep(5000);
}

/* BUG() in a worker's thread. */
static noinline void bug_here(int n)
{
	BUG_ON(unknown(n) == n);
	WRITE_ONCE(steps, steps + 1);
}

static void work_done(struct work_struct *w)
{
	bug_here(5);
	WRITE_ONCE(steps, steps + 1);
}
static DECLARE_WORK(work, work_done);

static noinline void crash_bug(void)
{
	schedule_work(&work);
	msleep(5000);
}

/* A stack that is too small: the guard page, a double fault. */
static noinline unsigned long deeper(unsigned long n)
{
	unsigned long room[40];

	room[unknown(n) % 40] = n;
	OPTIMIZER_HIDE_VAR(n);
	n = deeper(n + 1);
	return n + READ_ONCE(room[n % 40]);
}

static noinline void crash_df(void)
{
	WRITE_ONCE(steps, deeper(1));
	WRITE_ONCE(steps, steps + 1);
}

/* A function that CPUs are sent: the interrupt of another CPU. */
static void answer(void *unused)
{
	panic_here("another CPU's call");
	WRITE_ONCE(steps, steps + 1);
}

static noinline void crash_ipi(void)
{
	smp_call_function_single(1, answer, NULL, 1);
	WRITE_ONCE(steps, steps + 1);
}

/* Lockups: the watchdogs panic. */
static noinline void spin(void)
{
	while (READ_ONCE(steps) != -1)
		cpu_relax();
	WRITE_ONCE(steps, steps + 1);
}

static noinline void crash_softlockup(void)
{
	preempt_disable();
	spin();
	preempt_enable();
}

static int sleep_forever(void *unused)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule();
	WRITE_ONCE(steps, steps + 1);
	return 0;
}

static noinline void crash_hung(void)
{
	kthread_run(sleep_forever, NULL, "sleeper");
	msleep(60000);
}

/* NMIs come from outside. A deaf CPU stays in one, and so hears none of those that the crash sends. */
static noinline void not_listening(void)
{
	WRITE_ONCE(is_deaf, true);
	while (READ_ONCE(steps) != -1)
		cpu_relax();
	WRITE_ONCE(steps, steps + 1);
}

static int nmi_came(unsigned int cmd, struct pt_regs *regs)
{
	if (READ_ONCE(deaf)) {
		if (raw_smp_processor_id() == deaf_cpu)
			not_listening();
		return NMI_HANDLED;
	}
	if (READ_ONCE(panic_in_nmi) && raw_smp_processor_id() == deaf_cpu) {
		panic_here("an NMI");
		WRITE_ONCE(steps, steps + 1);
	}
	return NMI_DONE;
}

static int spinner(void *unused)
{
	spin();
	WRITE_ONCE(steps, steps + 1);
	return 0;
}

/* A thread that the NMI finds running. */
static noinline void start_spinner(void)
{
	struct task_struct *t = kthread_create(spinner, NULL, "spinner");

	if (IS_ERR(t))
		return;
	kthread_bind(t, deaf_cpu);
	wake_up_process(t);
	msleep(200);
}

static noinline void arm_deaf(void)
{
	WRITE_ONCE(deaf, true);
}

static noinline void arm_nmi(void)
{
	start_spinner();
	WRITE_ONCE(panic_in_nmi, true);
}

static noinline void arm_exit(void)
{
	WRITE_ONCE(at_exit, true);
}

static const struct {
	const char *name;
	void (*run)(void);
} crashes[] = {
	{ "null", crash_null }, { "gp", crash_gp }, { "panic", crash_panic }, { "irq", crash_irq }, { "bug", crash_bug },
	{ "df", crash_df }, { "ipi", crash_ipi }, { "softlockup", crash_softlockup }, { "hung", crash_hung },
	{ "deaf", arm_deaf }, { "nmi", arm_nmi }, { "exit", arm_exit }, { "spin", start_spinner },
};

static int crash_set(const char *value, const struct kernel_param *param)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(crashes); i++) {
		if (!sysfs_streq(value, crashes[i].name))
			continue;
		crashes[i].run();
		WRITE_ONCE(steps, steps + 1);
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops crash_ops = { .set = crash_set };
module_param_cb(crash, &crash_ops, NULL, 0200);

static int __init crasher_init(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&timer, timer_rang, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer.function = timer_rang;
#endif
	return register_nmi_handler(NMI_LOCAL, nmi_came, 0, "crasher");
}

static void __exit crasher_exit(void)
{
	if (at_exit) {
		null_middle(1);
		WRITE_ONCE(steps, steps + 1);
	}
	unregister_nmi_handler(NMI_LOCAL, "crasher");
}

module_init(crasher_init);
module_exit(crasher_exit);
MODULE_DESCRIPTION("ends its kernel in many ways");
MODULE_LICENSE("GPL");
