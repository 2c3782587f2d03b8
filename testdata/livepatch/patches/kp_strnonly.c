// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
#include <linux/uaccess.h>
/* strncpy_from_user, whose fixups are anonymous up to 5.16: for tasks that were preempted in one. The new function works. Nothing
 * else keeps the transition open. */
NEW long new_strn(char *d, const char __user *s, long n)
{
	long i;

	for (i = 0; i < n; i++) {
		if (get_user(d[i], s + i))
			return -EFAULT;
		if (!d[i])
			break;
	}
	return i;
}
VM(F("strncpy_from_user", new_strn, 0));
OBJS(OVM);
