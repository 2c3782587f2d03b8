// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* One function of a module. */
NEW int new_plain(int how) { return 41 + how; }
LAB(F("k_plain", new_plain, 0));
OBJS(OLAB);
