# Eight getters share one error tail that ends in ret. Before: the tail is anonymous
# code behind the last getter (with an unsized local label in its middle), reached
# by the landings and by plain jumps. After: it is a sized, local, NOTYPE symbol.
# The caller's call target picks the getter.
	.include "macros.inc"
	era
	.macro	entry from
	.if	AFTER
	ex_type	\from, .Lbad, EX_UACCESS
	.else
	ex_handler \from, .Lbad, ex_handler_uaccess
	.endif
	.endm
	.macro	getter name, n, check, insn:vararg
	func	\name
	.if	\check
	cmp	%rbx, %rax
	jae	.Lbad_checked
	.endif
T_f\n:
.Lsite\n:
	\insn
T_in\n:
	xor	%eax, %eax
	ret
	endf	\name
	entry	.Lsite\n
	.endm

	.text
	getter	get_1, 1, 1, movzbl (%rax), %edx
	getter	get_2, 2, 1, movzwl (%rax), %edx
	getter	get_4, 3, 1, movl (%rax), %edx
	getter	get_8, 4, 1, movq (%rax), %rdx
	getter	get_unchecked_1, 5, 0, movzbl (%rax), %edx
	getter	get_unchecked_2, 6, 0, movzwl (%rax), %edx
	getter	get_unchecked_4, 7, 0, movl (%rax), %edx
	getter	get_unchecked_8, 8, 0, movq (%rax), %rdx

	.balign	16, 0xcc
	.if	AFTER
	code	get_handle_exception
	.endif
T_bad:
.Lbad:
	clac
T_bad_mid:
.Lbad_checked:
	.if	!AFTER
bad_get:
	.endif
	xor	%edx, %edx
	mov	$-14, %rax
T_bad_last:
	ret
	.if	AFTER
	endf	get_handle_exception
	.endif

	func	caller
	sub	$8, %rsp
	.macro	site name
	call	\name
T_c_\name:
	.endm
	site	get_1
	site	get_2
	site	get_4
	site	get_8
	site	get_unchecked_1
	site	get_unchecked_2
	site	get_unchecked_4
	site	get_unchecked_8
	call	*%rcx
T_c_pointer:
	call	stranger
T_c_stranger:
	add	$8, %rsp
	ret
	endf	caller
	func	stranger
	ret
	endf	stranger
	.if	!AFTER
	handler	ex_handler_uaccess
	.endif
