# A copy that survives machine checks. Before: the fixups carry visible labels .E_*
# (local, unsized); one path ends in ret, one is a tail jump to the start of another
# sized function; .E_copy then precedes the fixups of unrelated functions and is
# their nearest symbol. After: the same labels inside the function.
	.include "macros.inc"
	era
	.macro	entry from, to
	.if	AFTER
	ex_type	\from, \to, EX_DEFAULT_MCE_SAFE
	.else
	ex_handler \from, \to, ex_handler_fault
	.endif
	.endm
	.macro	slow_errors
T_e1:
.E_leading_bytes:
	add	%r8d, %ecx
	jmp	.E_len
T_e2:
.E_read_words:
	shl	$3, %ecx
T_e_len:
.E_len:
	add	%edx, %ecx
	mov	%ecx, %eax
T_e_ret:
	ret
T_e3:
.E_write_words:
	lea	(%rdx,%rcx,8), %edx
T_e3_last:
	jmp	copy_handle_tail
	.endm

	.text
	func	copy_slow
	mov	%edx, %ecx
T_f1:
1:	movb	(%rsi), %al
	shr	$3, %ecx
T_f2:
2:	mov	(%rsi), %r8
T_f3:
3:	mov	%r8, (%rdi)
	dec	%ecx
	jnz	2b
T_in1:
	xor	%eax, %eax
	ret
	.if	AFTER
	slow_errors
	.endif
	endf	copy_slow

	func	copy_fast
	mov	%rdx, %rcx
T_f4:
4:	rep movsb
T_in2:
	xor	%eax, %eax
	ret
	.if	AFTER
T_e4:
.E_copy:
	mov	%rcx, %rax
T_e4_last:
	ret
	.endif
	endf	copy_fast

	func	copy_handle_tail
T_tail:
	mov	%edx, %ecx
	dec	%ecx
T_tail_last:
	ret
	endf	copy_handle_tail

	func	unrelated
T_f5:
5:	mov	(%rdi), %eax
T_in3:
6:	ret
	.if	AFTER
	ex_type	5b, 6b, EX_UACCESS
	.endif
	endf	unrelated

	.if	!AFTER
	handler	ex_handler_fault
	handler	ex_handler_uaccess
	.section .fixup, "ax"
	slow_errors
T_e4:
.E_copy:
	mov	%rcx, %rax
T_e4_last:
	ret
T_x5:
7:	mov	$-14, %eax
T_x5_last:
	jmp	6b
	ex_handler 5b, 7b, ex_handler_uaccess
	.endif
	entry	1b, .E_leading_bytes
	entry	2b, .E_read_words
	entry	3b, .E_write_words
	entry	4b, .E_copy
