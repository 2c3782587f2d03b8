# An unaligned word load that may run off a mapped page. Before: a long fixup that
# loads again and may fault itself; that nested fault has entries of its own, one
# with a private landing, two with a shared one that ends in ret. After: ZEROPAD,
# no code at all.
	.include "macros.inc"
	era
	.macro	reload label, back	# the fixup body
	mov	%rsi, %rcx
	and	$-8, %rcx
T_n\label:
.Lnested\label:
	mov	(%rcx), %rax
T_y\label:
	mov	%esi, %ecx
	and	$7, %ecx
	shl	$3, %ecx
	shr	%cl, %rax
T_x\label\()_last:
	jmp	\back
	.endm

	.text
	func	d_lookup
	xor	%edx, %edx
T_f1:
1:	mov	(%rsi), %rax
T_in1:
2:	xor	%rax, %rdx
	ret
	endf	d_lookup

	func	hash_name
T_f2:
3:	mov	(%rsi), %rax
T_in2:
4:	imul	%rax, %rdi
	ret
	endf	hash_name

	func	compare_name
T_f3:
5:	mov	(%rsi), %rax
T_in3:
6:	cmp	%rax, %rdi
	ret
	endf	compare_name

	func	walk
	sub	$8, %rsp
	call	hash_name
T_c_hash:
	call	compare_name
T_c_compare:
	call	*%rbx
T_c_indirect:
	add	$8, %rsp
	ret
	endf	walk

	.if	AFTER
	ex_type	1b, 2b, EX_ZEROPAD+EX_AX
	ex_type	3b, 4b, EX_ZEROPAD+EX_AX
	ex_type	5b, 6b, EX_ZEROPAD+EX_AX
	.else
	handler	ex_handler_default
	.section .fixup, "ax"
.E_copy:
T_x1:
7:	reload	1, 2b
T_x2:
8:	reload	2, 4b
T_x3:
9:	reload	3, 6b
T_private:
10:	xor	%eax, %eax
T_private_last:
	jmp	2b
T_shared:
11:	xor	%eax, %eax
T_shared_last:
	ret
T_gap:
	nop
	ex_handler 1b, 7b, ex_handler_default
	ex_handler 3b, 8b, ex_handler_default
	ex_handler 5b, 9b, ex_handler_default
	ex_handler .Lnested1, 10b, ex_handler_default
	ex_handler .Lnested2, 11b, ex_handler_default
	ex_handler .Lnested3, 11b, ex_handler_default
	.endif
