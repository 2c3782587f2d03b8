/* The types of types.c in two units. Of the first, -DONE, `struct late` is only declared; types that both define are
 * put into a unit of their own by dwz, which the others refer to. The compiler vouches for the numbers that
 * tests/library/types.rs expects.
 */
#ifdef ONE
#include "types.c"
struct late;
struct early { char c; struct late *late; struct nowhere *nowhere; };
struct early early;
#else
#define threads more_threads
#define pids more_pids
#define _start more_start
#include "types.c"
struct late { char c; const struct task_struct *const task; counter_t usage[2][3]; void *data; };
struct late late[2];
enum bytes { BYTE = 200 } bytes;
enum halves { HALF = 40000 } halves;
enum words { WORD = 0x80000000u } words;
enum below { BELOW = -2 } below;
enum huge { HUGE = 1l << 40 } huge;
_Static_assert(offsetof(struct late, task) == 8, "");
_Static_assert(offsetof(struct late, usage[1]) == 28, "");
_Static_assert(offsetof(struct late, data) == 40, "");
_Static_assert(sizeof(struct late) == 48, "");
#endif
