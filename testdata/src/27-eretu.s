# Return to user space by ERETU. If it faults, the handler rewrites the frame as if
# the event had come from user space and goes on at the START of an entry symbol:
# code found there was not "the fixup of" the exit path. Once that is another sized
# symbol, once (as 7.2 is laid out) the same one, with an unsized exit label inside.
	.include "macros.inc"
	banner	7.2.0-fixture
	.text
	.balign	64, 0xcc
	.globl	entry_from_user
	code	entry_from_user
T_start:
	push	%rdi
T_mid:
	mov	%rsp, %rdi
	call	do_entry
T_return:
	pop	%rdi
	jmp	exit_to_user
	endf	entry_from_user

	.globl	exit_to_user
	code	exit_to_user
T_exit:
	nop
T_f:
1:	.byte	0xf3, 0x0f, 0x01, 0xca	# eretu
	endf	exit_to_user
	ex_type	1b, entry_from_user, EX_ERETU

	.balign	64, 0xcc
	.globl	entry_other
	code	entry_other
T_other:
	push	%rdi
	call	do_entry
T_other_return:
	pop	%rdi
	.globl	exit_other
exit_other:
	nop
T_other_f:
4:	.byte	0xf3, 0x0f, 0x01, 0xca	# eretu
	endf	entry_other
	ex_type	4b, entry_other, EX_ERETU

	func	do_entry
T_do:
	nop
	ret
	endf	do_entry
	func	fetch
T_g:
2:	mov	(%rdi), %eax
T_g_land:
3:	ret
	ex_type	2b, 3b, EX_EFAULT_REG
	endf	fetch
