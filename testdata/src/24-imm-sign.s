# The immediate of an entry is signed 16-bit: -14, -1, 0, 1, 32767 and -32768, with
# low and high registers beside it. No banner.
	.include "macros.inc"
	.macro	one n, reg, imm
T_f\n:
1:	mov	(%rdi), %rdx
T_l\n:
2:	nop
	ex_type	1b, 2b, EX_IMM_REG+\reg+\imm*EX_IMM
	.endm
	.text
	func	immediates
	one	1, EX_AX, -14
	one	2, EX_R15, -1
	one	3, EX_CX, 0
	one	4, EX_R9, 1
	one	5, EX_DI, 32767
	one	6, EX_BX, -32768
T_in:
	ret
	endf	immediates
