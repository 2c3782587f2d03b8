# Swapping a return address for a trampoline. Before: load and store may fault and
# share a fixup that sets a flag. After: plain code, no entry at all (the table of
# this variant only has an unrelated one).
	.include "macros.inc"
	era
	.text
	func	hook_return
	xor	%ecx, %ecx
T_f1:
1:	mov	(%rdi), %rax
T_f2:
2:	mov	%rsi, (%rdi)
T_in:
3:	test	%ecx, %ecx
	jnz	4f
	ret
4:	ud2
	endf	hook_return

	func	unrelated
5:	mov	(%rdi), %eax
6:	ret
	endf	unrelated

	.if	AFTER
	ex_type	5b, 6b, EX_UACCESS
	.else
	handler	ex_handler_default
	handler	ex_handler_uaccess
	.section .fixup, "ax"
T_un:
8:	jmp	6b
.E_copy:
T_x:
7:	mov	$1, %ecx
T_x_last:
	jmp	3b
	ex_handler 1b, 7b, ex_handler_default
	ex_handler 2b, 7b, ex_handler_default
	ex_handler 5b, 8b, ex_handler_uaccess
	.endif
