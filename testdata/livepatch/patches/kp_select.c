// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* A task is inside, and below it there are frames of a BPF trampoline. */
NEW long new_select(const struct pt_regs *regs) { return -EINVAL; }
VM(F("__x64_sys_select", new_select, 0));
OBJS(OVM);
