# Reading and writing a frame-number array that may be unmapped. Before: the fixup
# subtracts one from the result and jumps back. After: EFAULT_REG.
	.include "macros.inc"
	era
	.text
	func	safe_write
	xor	%eax, %eax
T_f1:
1:	mov	%rsi, (%rdi)
T_in1:
2:	ret
	endf	safe_write

	func	safe_read
	xor	%eax, %eax
	xor	%edx, %edx
T_f2:
3:	mov	(%rdi), %rdx
T_in2:
4:	mov	%rdx, (%rsi)
	ret
	endf	safe_read

	.if	AFTER
	ex_type	1b, 2b, EX_EFAULT_REG+EX_AX
	ex_type	3b, 4b, EX_EFAULT_REG+EX_AX
	.else
	handler	ex_handler_default
	.section .fixup, "ax"
T_x1:
5:	sub	$1, %eax
T_x1_last:
	jmp	2b
.E_copy:
T_x2:
6:	sub	$1, %eax
T_x2_last:
	jmp	4b
	ex_handler 1b, 5b, ex_handler_default
	ex_handler 3b, 6b, ex_handler_default
	.endif
