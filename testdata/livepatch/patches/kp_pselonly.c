// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* A function of the kernel whose fixups are apart up to 5.16: for tasks that were preempted in one. */
NEW long new_psel(const struct pt_regs *regs) { return -EINVAL; }
VM(F("__x64_sys_pselect6", new_psel, 0));
OBJS(OVM);
