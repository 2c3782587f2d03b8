// SPDX-License-Identifier: GPL-2.0
/*
 * lab.ko: places to sleep, for transitions of live patches.
 *   echo 'NAME HOW [ADDR]' > /proc/kop   runs k_NAME(HOW) in the writing task; ADDR: a page of it that a userfaultfd holds back
 *   echo 'kt NAME HOW' > /proc/kop       runs it in a new kernel thread "k/NAME"
 * HOW bit 0: sleep uninterruptibly; bit 1: take the path that the compiler holds for unlikely (.cold).
 */
#include <linux/version.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/kthread.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#if __has_include(<linux/objtool.h>)
#include <linux/objtool.h>
#else
#include <linux/frame.h>
#endif

#define KFN noinline __attribute__((noclone))
/* a kernel address that always faults */
#define KHOLE ((void *)(VMALLOC_START + 0x1fff0000000UL))

volatile int k_sink;
static int k_release;
module_param(k_release, int, 0644);
static DECLARE_WAIT_QUEUE_HEAD(k_wq);

int k_wait(int how);
int k_plain(int how);
int k_outer(int how);
int k_block(int how);
int k_late(int how);
int k_tail(int how);
int k_in_fixup(int how);
int k_fix_call(int how);
long k_fix_touch(unsigned long u);
int k_cold(int how);
int k_rec(int how, int n);
int k_noret(int how);
int k_after(int how);
int k_twin_b(int how);
int k_deep(int how, int n);
int k_noorc(int how);
int k_spin(int how);

/* The only place where these tasks sleep. */
KFN int k_wait(int how)
{
	if (how & 1) {
		wait_event(k_wq, READ_ONCE(k_release));
		return 0;
	}
	return wait_event_interruptible(k_wq, READ_ONCE(k_release));
}

/*
 * Sleepers that differ in the number that they return: gcc makes functions that do the same one, with two symbols.
 * barrier() keeps the call from being the last thing.
 */
#define SLEEPER(name, call, more) \
KFN int name(int how) { int r = call; barrier(); return r ? r : k_sink + (more); }

SLEEPER(k_plain, k_wait(how), 0)
SLEEPER(k_outer, k_plain(how), 7)
SLEEPER(k_block, k_wait(how), 3)	/* D tasks here keep transitions open */
SLEEPER(k_late, k_wait(how), 4)		/* of the patch whose new function sleeps: nobody is here before */

/* A tail call: no frame is left. */
KFN int k_tail(int how)
{
	k_sink = 0;
	return k_wait(how);
}

/* The fixup of k_fix_call calls k_in_fixup, which sleeps: a return address inside .fixup. */
SLEEPER(k_in_fixup, k_wait(how), 8)

KFN int k_fix_call(int how)
{
	int err;
	void *p = KHOLE;

	asm volatile("1:	movq (%[p]), %%rax\n"
		     "	xorl %[e], %[e]\n"
		     "2:\n"
		     "	.pushsection .fixup,\"ax\"\n"
		     "3:	call k_in_fixup\n"
		     "	movl %%eax, %[e]\n"
		     "	jmp 2b\n"
		     "	.popsection\n"
		     _ASM_EXTABLE(1b, 3b)
		     : [e] "=&b" (err), "+D" (how), ASM_CALL_CONSTRAINT
		     : [p] "r" (p)
		     : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
	barrier();
	return err;
}

/* The fixup of k_fix_touch reads memory of the user: a page fault, whose frame has an address inside .fixup. */
KFN long k_fix_touch(unsigned long u)
{
	long err;
	void *p = KHOLE;

	asm volatile("1:	movq (%[p]), %%rax\n"
		     "	xorl %k[e], %k[e]\n"
		     "2:\n"
		     "	.pushsection .fixup,\"ax\"\n"
		     "3:	movq $-14, %[e]\n"
		     "	stac\n"
		     "4:	movq (%[u]), %%rax\n"
		     "5:	clac\n"
		     "	jmp 2b\n"
		     "	.popsection\n"
		     _ASM_EXTABLE(1b, 3b)
		     _ASM_EXTABLE(4b, 5b)
		     : [e] "=&r" (err)
		     : [p] "r" (p), [u] "r" (u)
		     : "rax", "memory", "cc");
	barrier();
	return err;
}

/* The unlikely path calls a cold function, so gcc moves it to k_cold.cold. */
extern int k_cold_park(int how) __attribute__((cold));
__attribute__((cold)) SLEEPER(k_cold_park, k_wait(how), 9)

KFN int k_cold(int how)
{
	if (unlikely(how & 2)) {
		int r;

		pr_info("lab: cold path of k_cold\n");
		r = k_cold_park(how);
		pr_info("lab: cold path of k_cold ends %d\n", r);
		return r;
	}
	k_sink = 0;
	return k_wait(how);
}

/* Recursion: the outer instances in the hot part, the innermost in the cold one. */
KFN int k_rec(int how, int n)
{
	int r;

	if (unlikely(n <= 0)) {
		pr_info("lab: cold path of k_rec\n");
		r = k_cold_park(how);
		pr_info("lab: cold path of k_rec ends %d\n", r);
		return r;
	}
	r = k_rec(how, n - 1);
	barrier();
	return r ? r : k_sink;
}

/*
 * The last instruction of k_noret is a call that never returns. With as many nops as make the function end where the
 * next one is aligned to, the return address is that of the next symbol.
 */
static KFN void __noreturn k_never(int how)
{
	for (;;) {
		k_wait(how);
		if (!(current->flags & PF_KTHREAD) && signal_pending(current))
			msleep(100);
	}
}

KFN int k_noret(int how)
{
	k_sink = 0;
	asm volatile(".rept %c0\n nop\n .endr" :: "i" (KN));
	k_never(how);
}

SLEEPER(k_after, k_wait(how), 5)

/* One of two functions of this name; the other is in twin.c. */
static SLEEPER(k_twin, k_wait(how), 1)

/* Deeper than the 100 entries that are asked for. */
KFN int k_deep(int how, int n)
{
	int r = n > 0 ? k_deep(how, n - 1) : k_wait(how);

	barrier();
	return r ? r : k_sink;
}

/* Without ORC data. */
SLEEPER(k_noorc, k_wait(how), 6)
STACK_FRAME_NON_STANDARD(k_noorc);

KFN int k_spin(int how)
{
	while (!READ_ONCE(k_release))
		cond_resched();
	return 0;
}

static int k_run(const char *n, int how, unsigned long ua)
{
	if (!strcmp(n, "plain"))
		return k_outer(how);
	if (!strcmp(n, "block"))
		return k_block(how);
	if (!strcmp(n, "tail"))
		return k_tail(how);
	if (!strcmp(n, "fixcall"))
		return k_fix_call(how);
	if (!strcmp(n, "fixtouch"))
		return k_fix_touch(ua);
	if (!strcmp(n, "cold"))
		return k_cold(how);
	if (!strcmp(n, "rec"))
		return k_rec(how, 2);
	if (!strcmp(n, "noret"))
		return k_noret(how);
	if (!strcmp(n, "late"))
		return k_late(how);
	if (!strcmp(n, "after"))
		return k_after(how);
	if (!strcmp(n, "twin1"))
		return k_twin(how);
	if (!strcmp(n, "twin2"))
		return k_twin_b(how);
	if (!strcmp(n, "deep"))
		return k_deep(how, 110);
	if (!strcmp(n, "noorc"))
		return k_noorc(how);
	if (!strcmp(n, "spin"))
		return k_spin(how);
	pr_err("lab: no place %s\n", n);
	return -EINVAL;
}

struct karg {
	char n[16];
	int how;
};

static int k_thread(void *d)
{
	struct karg a = *(struct karg *)d;

	kfree(d);
	return k_run(a.n, a.how, 0) + 1;
}

/* A file of its own: who writes a module's parameter holds a lock, so that only one task could sleep in there. */
static ssize_t kop_write(struct file *f, const char __user *u, size_t len, loff_t *pos)
{
	char b[64], n[16];
	int how = 0, r;
	unsigned long ua = 0;

	if (len >= sizeof(b) || copy_from_user(b, u, len))
		return -EFAULT;
	b[len] = 0;
	if (!strncmp(b, "kt ", 3)) {
		struct karg *a = kzalloc(sizeof(*a), GFP_KERNEL);

		if (!a || sscanf(b + 3, "%15s %d", a->n, &a->how) < 1)
			return -EINVAL;
		r = PTR_ERR_OR_ZERO(kthread_run(k_thread, a, "k/%s", a->n));
		return r ? r : len;
	}
	if (sscanf(b, "%15s %d %lu", n, &how, &ua) < 1)
		return -EINVAL;
	r = k_run(n, how, ua);
	return r < 0 ? r : len;
}

static const struct proc_ops kop_ops = { .proc_write = kop_write };

static int __init lab_init(void)
{
	return proc_create("kop", 0200, NULL, &kop_ops) ? 0 : -ENOMEM;
}

/* Not __exit: that section would come between .text, which ends with k_twin_b, and .fixup. */
static void lab_exit(void)
{
	remove_proc_entry("kop", NULL);
}

module_init(lab_init);
module_exit(lab_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("places to sleep");
