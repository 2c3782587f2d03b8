/* Types of every shape that layouts are read of, under names that fixtrace asks for. The compiler vouches for the numbers
 * that tests/library/types.rs expects.
 */
#include <stddef.h>

enum { FIRST = -1, FTRACE_OPS_FL_SAVE_REGS = 1 << 2 };
typedef struct { int counter; } counter_t;
struct list { struct list *next, *prev; };
struct ftrace_ret_stack { unsigned long ret; unsigned long retp; };

struct task_struct {
	volatile unsigned int __state;
	const counter_t usage;
	union { struct list tasks; struct { long a; char comm[16]; }; };
	struct ftrace_ret_stack *ret_stack;
	const struct task_struct *parent;
	unsigned first : 3, second : 7;
	unsigned long wide : 33;
	struct { int cpu; unsigned long sp[2][3]; } thread;
	char last[];
};

union thread_union { struct task_struct task; unsigned long stack[2048]; };
struct pid { int level; struct list tasks[4]; };

_Static_assert(offsetof(struct task_struct, usage) == 4, "");
_Static_assert(offsetof(struct task_struct, tasks) == 8, "");
_Static_assert(offsetof(struct task_struct, tasks.prev) == 16, "");
_Static_assert(offsetof(struct task_struct, comm) == 16, "");
_Static_assert(offsetof(struct task_struct, ret_stack) == 32, "");
_Static_assert(offsetof(struct task_struct, thread) == 56, "");
_Static_assert(offsetof(struct task_struct, thread.sp[1][2]) == 104, "");
_Static_assert(sizeof(struct task_struct) == 112, "");
_Static_assert(sizeof(union thread_union) == 16384, "");
_Static_assert(offsetof(struct pid, tasks[3].prev) == 64, "");

union thread_union threads;
struct pid pids;
long _start(void) { return threads.task.second + threads.task.wide + FTRACE_OPS_FL_SAVE_REGS + pids.level; }
