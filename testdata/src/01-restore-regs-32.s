# Restoring segment registers on the way out to user space, 32-bit.
# Before: each pop that may fault has out-of-line code that zeroes the stack slot
# and retries the same pop. After: the handler does it (POP_ZERO with a segment
# register number) and the landing is the next pop, inside the function.
	.include "macros.inc"
	era
	.text
	func	entry_INT80_32
	push	%eax
	xor	%eax, %eax
	pop	%ebx
	pop	%ecx
T_f1:
1:	pop	%ds
T_f2:
2:	pop	%es
T_f3:
3:	pop	%fs
T_in:
4:	add	$4, %esp
	ret
	endf	entry_INT80_32

	.if	AFTER
	ex_type	1b, 2b, EX_POP_REG+EX_DS
	ex_type	2b, 3b, EX_POP_REG+EX_ES
	ex_type	3b, 4b, EX_POP_REG+EX_FS
	.else
	handler	ex_handler_default
	.section .fixup, "ax"
.E_copy:
T_x1:
5:	movl	$0, (%esp)
T_x1_last:
	jmp	1b
T_x2:
6:	movl	$0, (%esp)
T_x2_last:
	jmp	2b
T_x3:
7:	movl	$0, (%esp)
T_x3_last:
	jmp	3b
	ex_handler 1b, 5b, ex_handler_default
	ex_handler 2b, 6b, ex_handler_default
	ex_handler 3b, 7b, ex_handler_default
	.endif
