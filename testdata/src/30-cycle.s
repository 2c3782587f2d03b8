# Hostile but valid: fixup code that loops, landings that fault into each other,
# entries without any function behind them, a jump into the middle of a stranger,
# a fixup that runs off the end of the text. A walker must end and must not invent.
	.include "macros.inc"
	banner	5.10.0-fixture
	.macro	loader name, n
	func	\name
T_f\n:
.Lsite\n:
	mov	(%rdi), %eax
T_in\n:
.Lback\n:
	ret
	endf	\name
	.endm
	.text
	loader	spin_alone, 1
	loader	spin_pair_a, 2
	loader	spin_pair_b, 3
	loader	ping, 4
	loader	astray, 5
	loader	edge, 6
	loader	twist, 7
	func	stranger
	nop
T_stranger:
.Linside:
	nop
	ret
	endf	stranger
	handler	ex_handler_default

	.section .fixup, "ax"
T_a1:
.La1:	nop				# two blocks that jump to each other
T_a1_last:
	jmp	.La2
T_a2:
.La2:	nop
T_a2_last:
	jmp	.La1
T_b:
.Lb:	nop				# one loop shared by two functions
T_b_last:
	jmp	.Lb
T_p1:
.Lp1:	mov	(%rsi), %ecx		# lands in p2, which lands in p1
T_p1_last:
	jmp	.
T_p2:
.Lp2:	mov	(%rdx), %ecx
T_p2_last:
	jmp	.
T_o1:
.Lo1:	mov	(%rsi), %ecx		# the same, but no function ever gets here
T_o1_last:
	jmp	.
T_o2:
.Lo2:	mov	(%rdx), %ecx
T_o2_last:
	jmp	.
T_self:
.Lself:	mov	(%rsi), %ecx		# its own landing, and no function
T_self_last:
	jmp	.
T_s:
.Ls:	nop				# leaves into another function
T_s_last:
	jmp	.Linside
T_w1:
.Lw1:	jmp	.Lw2			# jumps backwards and forwards, then home
T_w3:
.Lw3:	jmp	.Lback7
T_w2:
.Lw2:	jmp	.Lw3
T_dead:
	ret				# reached by nothing
T_e:
.Le:	nop				# last code of the image: no exit
T_e_last:
	nop
	ex_handler .Lsite1, .La1, ex_handler_default
	ex_handler .Lsite2, .Lb, ex_handler_default
	ex_handler .Lsite3, .Lb, ex_handler_default
	ex_handler .Lsite4, .Lp1, ex_handler_default
	ex_handler .Lp1, .Lp2, ex_handler_default
	ex_handler .Lp2, .Lp1, ex_handler_default
	ex_handler .Lo1, .Lo2, ex_handler_default
	ex_handler .Lo2, .Lo1, ex_handler_default
	ex_handler .Lself, .Lself, ex_handler_default
	ex_handler .Lsite5, .Ls, ex_handler_default
	ex_handler .Lsite7, .Lw1, ex_handler_default
	ex_handler .Lsite6, .Le, ex_handler_default
