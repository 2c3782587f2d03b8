# Zeroing user memory by quads, then bytes. Before: the quad store's fixup turns the
# count into bytes with lea and jumps back; the byte store lands in the function.
# After: UCOPY_LEN8 (ecx := 8*ecx + reg) does that.
	.include "macros.inc"
	era
	.text
	func	clear_user
	mov	%esi, %ecx
	mov	%esi, %r8d
	and	$7, %r8d
	shr	$3, %ecx
T_f1:
1:	movq	$0, (%rdi)
	add	$8, %rdi
	dec	%ecx
	jnz	1b
	mov	%r8d, %ecx
T_f2:
2:	movb	$0, (%rdi)
	inc	%rdi
	dec	%ecx
	jnz	2b
T_in:
3:	mov	%ecx, %eax
T_in_last:
	ret
	endf	clear_user

	.if	AFTER
	ex_type	1b, 3b, EX_UCOPY_LEN+EX_R8+8*EX_IMM
	ex_type	2b, 3b, EX_UACCESS
	.else
	handler	ex_handler_uaccess
	.section .fixup, "ax"
.E_copy:
T_x:
4:	lea	(%r8,%rcx,8), %ecx
T_x_last:
	jmp	3b
	ex_handler 1b, 4b, ex_handler_uaccess
	ex_handler 2b, 3b, ex_handler_uaccess
	.endif
