# Kernels built with return thunks end functions and fixups in a jump to
# __x86_return_thunk. Reaching it is a return, not one more block: what stands behind
# the thunk belongs to nobody. One fixup is private, one shared; a zero-size label
# inside a function is what a caller calls.
	.include "macros.inc"
	era
	.macro	return
	jmp	__x86_return_thunk
	.endm
	.macro	loader name, n, fix
	func	\name
	nop
	.globl	\name\()_inner		# unsized second entry, as __put_user_nocheck_8
\name\()_inner:
T_f\n:
.Lsite\n:
	mov	(%rdi), %eax
T_in\n:
	return
	endf	\name
	.if	AFTER
	ex_type	.Lsite\n, \fix, EX_UACCESS
	.else
	ex_handler .Lsite\n, \fix, ex_handler_uaccess
	.endif
	.endm
	.text
	loader	load_private, 1, .Lprivate
	loader	load_first, 2, .Lshared
	loader	load_second, 3, .Lshared

	.balign	16, 0xcc
T_private:
.Lprivate:
	mov	$-14, %eax
T_private_last:
	return
T_shared:
.Lshared:
	xor	%edx, %edx
	mov	$-14, %eax
T_shared_last:
	return

	func	caller
	sub	$8, %rsp
	call	load_second_inner
T_c_inner:
	call	load_first
T_c_first:
	add	$8, %rsp
	return
	endf	caller
	.if	!AFTER
	handler	ex_handler_uaccess
	.endif
	.balign	16, 0xcc
	.globl	__x86_return_thunk
	code	__x86_return_thunk
T_thunk:
	ret
	int3
	endf	__x86_return_thunk
T_behind:
	nop
	jmp	.Lshared
