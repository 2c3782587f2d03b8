# The return-to-user instruction that may fault, 32-bit.
# Before: its landing is a named, sized, global code symbol among the fixups; it
# leaves by a jump to the start of the common exception path and never returns.
# After: the landing is a local label inside the function.
	.include "macros.inc"
	era
	.text
	func	entry_INT80_32
	push	%eax
	cld
	pop	%eax
T_in:
	add	$4, %esp
T_f:
1:	iret
	.if	AFTER
T_land:
2:	push	$0
	push	$do_iret_error
T_land_last:
	jmp	handle_exception
	ex_type	1b, 2b, EX_DEFAULT
	.else
	ex_handler 1b, asm_iret_error, ex_handler_default
	.endif
	endf	entry_INT80_32

	code	handle_exception
T_common:
	cld
	push	%eax
T_common_mid:
	mov	%esp, %eax
	call	do_iret_error
	ud2
	endf	handle_exception

	func	do_iret_error
	nop
	ret
	endf	do_iret_error

	.if	!AFTER
	handler	ex_handler_default
	.section .fixup, "ax"
	.globl	asm_iret_error
	code	asm_iret_error
T_x1:
	push	$0
T_x2:
	push	$do_iret_error
T_x_last:
	jmp	handle_exception
	endf	asm_iret_error
	.endif
