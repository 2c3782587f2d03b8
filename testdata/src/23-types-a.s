# One entry of every type 0 to 13 of the short-lived numbering of 5.16, where the
# out-of-line fixups still existed: small integers, no register, flag or immediate.
# The banner names the release because the numbers alone are ambiguous.
	.include "macros.inc"
	banner	5.16.0-fixture
	.macro	one n, type
T_f\n:
1:	mov	(%rdi), %rax
T_l\n:
2:	nop
	.pushsection .fixup, "ax"
T_x\n:
3:	mov	$-14, %ecx
T_y\n:
	jmp	2b
	.popsection
	ex_type	1b, 3b, \type
	.endm
	.text
	func	all_types
	one	00, 0			# none
	one	01, 1			# default
	one	02, 2			# fault
	one	03, 3			# uaccess
	one	04, 4			# copy
	one	05, 5			# clear fs
	one	06, 6			# fpu restore
	one	07, 7			# wrmsr
	one	08, 8			# rdmsr
	one	09, 9			# bpf
	one	10, 10			# wrmsr in mce
	one	11, 11			# rdmsr in mce
	one	12, 12			# default, mce safe
	one	13, 13			# fault, mce safe
T_in:
	ret
	endf	all_types
