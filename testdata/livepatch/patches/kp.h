/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One live patch = this header, the new functions, VM(...) and LAB(...) with those of the kernel and of lab.ko that they
 * replace, OBJS(...). When the patch was taken the kernel's answers are printed: which address and size it found.
 */
#include <linux/version.h>
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/fs.h>

#define NEW static noinline __attribute__((noclone))
#define F(old, new, pos) { .old_name = old, .new_func = new, .old_sympos = pos }
#define VM(...) static struct klp_func f_vm[] = { __VA_ARGS__, { } }
#define LAB(...) static struct klp_func f_lab[] = { __VA_ARGS__, { } }
#define OVM { .funcs = f_vm }
#define OLAB { .name = "lab", .funcs = f_lab }
#define OBJS(...) static struct klp_object objs[] = { __VA_ARGS__, { } }; static struct klp_patch patch = { .objs = objs }

static struct klp_patch patch;

static int __init kp_init(void)
{
	struct klp_object *o;
	struct klp_func *f;
	int r;

	patch.mod = THIS_MODULE;
	r = klp_enable_patch(&patch);
	pr_info("KP %s enable %d\n", THIS_MODULE->name, r);
	for (o = patch.objs; !r && (o->funcs || o->name); o++)
		for (f = o->funcs; f->old_name; f++)
			pr_info("KP %s obj %s func %s,%lu old %px size %lx new %px size %lx\n", THIS_MODULE->name, o->name ? o->name : "vmlinux",
				f->old_name, f->old_sympos, f->old_func, f->old_size, f->new_func, f->new_size);
	return r;
}

static void __exit kp_exit(void) { }

module_init(kp_init);
module_exit(kp_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
