/*
 * A kernel with two livepatches in its data, the second in transition over the first: vfs_first is replaced by both,
 * drv_third by the second only. The structures are our own, with the names of those of Linux.
 */
typedef _Bool bool;
typedef unsigned long ulong;

struct list_head { struct list_head *next, *prev; };
struct module { int state; struct list_head list; char name[56]; };

struct klp_func {
	const char *old_name;
	void *new_func;
	ulong old_sympos;
	void *old_func;
	char kobj[16];
	struct list_head node, stack_node;
	ulong old_size, new_size;
	bool nop, patched, transition;
};

struct klp_object {
	const char *name;
	struct klp_func *funcs;
	char kobj[16];
	struct list_head func_list, node;
	bool patched;
};

struct klp_patch {
	struct module *mod;
	struct klp_object *objs;
	bool replace;
	struct list_head list;
	char kobj[16];
	struct list_head obj_list;
	bool enabled, forced;
};

struct klp_ops { struct list_head node, func_stack; char fops[16]; };
struct thread_info { ulong flags; };
struct task_struct { struct thread_info thread_info; char comm[16]; int patch_state; };

const char banner[] = "Linux version 6.1.0-test (nobody) #1\n";

struct module mods[2] = { { .name = "kp_one" }, { .name = "kp_two" } };

extern struct list_head klp_patches, klp_ops;
extern struct klp_patch patches[2];
extern struct klp_object objs[3];
extern struct klp_func funcs[3];
extern struct klp_ops ops[2];

#define LIST(n, p) { &(n), &(p) }
#define ONE(e) LIST(e, e)

struct klp_func funcs[3] = {
	{ "vfs_first", (void *)0xffffffffc0001000, 1, (void *)0xffffffff81000100, "", ONE(objs[0].func_list),
	  LIST(ops[0].func_stack, funcs[1].stack_node), 0x80, 0x10, 0, 1, 0 },
	{ "vfs_first", (void *)0xffffffffc0002000, 1, (void *)0xffffffff81000100, "", ONE(objs[1].func_list),
	  LIST(funcs[0].stack_node, ops[0].func_stack), 0x80, 0x20, 0, 1, 1 },
	{ "drv_third", (void *)0xffffffffc0002020, 0, (void *)0xffffffffc0010000, "", ONE(objs[2].func_list),
	  ONE(ops[1].func_stack), 0x40, 0x18, 0, 1, 1 },
};

struct klp_object objs[3] = {
	{ 0, &funcs[0], "", ONE(funcs[0].node), ONE(patches[0].obj_list), 1 },
	{ 0, &funcs[1], "", ONE(funcs[1].node), LIST(objs[2].node, patches[1].obj_list), 1 },
	{ "driver", &funcs[2], "", ONE(funcs[2].node), LIST(patches[1].obj_list, objs[1].node), 1 },
};

struct klp_patch patches[2] = {
	{ &mods[0], &objs[0], 0, LIST(patches[1].list, klp_patches), "", ONE(objs[0].node), 1, 1 },
	{ &mods[1], &objs[1], 1, LIST(klp_patches, patches[0].list), "", LIST(objs[1].node, objs[2].node), 1, 0 },
};

struct klp_ops ops[2] = {
	{ LIST(klp_ops, ops[1].node), LIST(funcs[1].stack_node, funcs[0].stack_node), "" },
	{ LIST(ops[0].node, klp_ops), ONE(funcs[2].stack_node), "" },
};

struct list_head klp_patches = LIST(patches[0].list, patches[1].list);
struct list_head klp_ops = LIST(ops[1].node, ops[0].node);
struct klp_patch *klp_transition_patch = &patches[1];
int klp_target_state = 1;

struct task_struct tasks[3] = {
	{ { 0 }, "switched", 1 }, { { 1 << 13 }, "pending", 0 }, { { 1 << 9 }, "idle", -1 },
};

void vfs_first(void) { }
