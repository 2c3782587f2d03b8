// SPDX-License-Identifier: GPL-2.0
#include "kp.h"
/* As kp_pselonly; unix_stream_read_generic keeps the transition open. */
struct unix_stream_read_state;
NEW int new_unix(struct unix_stream_read_state *s, bool freezable) { return -EINTR; }
NEW long new_psel(const struct pt_regs *regs) { return -EINVAL; }
VM(F("__x64_sys_pselect6", new_psel, 0), F("unix_stream_read_generic", new_unix, 0));
OBJS(OVM);
