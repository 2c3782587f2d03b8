// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* wait_for_random_bytes alone, whose wait is in its .cold part. */
NEW int new_wait(void) { return 0; }
VM(F("wait_for_random_bytes", new_wait, 0));
OBJS(OVM);
