# Loading a saved segment register in the sysenter exit path, 32-bit.
# Before: out-of-line code clears the saved value and retries the load.
# After: the same code stands in the function, behind its last instruction.
	.include "macros.inc"
	era
	.text
	func	entry_SYSENTER_32
	mov	0x24(%esp), %eax
	mov	0x28(%esp), %edx
T_f:
1:	mov	0x14(%esp), %fs
T_in:
	pop	%ebx
	sti
	sysexit
	.if	AFTER
T_land:
2:	movl	$0, 0x14(%esp)
T_land_last:
	jmp	1b
	ex_type	1b, 2b, EX_DEFAULT
	.else
	.pushsection .fixup, "ax"
.E_copy:
T_x:
2:	movl	$0, 0x14(%esp)
T_x_last:
	jmp	1b
	.popsection
	ex_handler 1b, 2b, ex_handler_default
	.endif
	endf	entry_SYSENTER_32
	.if	!AFTER
	handler	ex_handler_default
	.endif
