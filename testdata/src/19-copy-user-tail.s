# Copying between user and kernel memory. Four sized functions reach one unsized,
# anonymous tail that stands right behind the third; the tail copies bytes and may
# fault itself. Before: through out-of-line fixups. After: through landings inside
# the functions, and a short-copy helper the others jump to reaches it as well.
# Only the call site can tell whose tail it is: direct, alternative or indirect call.
	.include "macros.inc"
	era
	.macro	entry from, to
	.if	AFTER
	ex_type	\from, \to, EX_UACCESS
	.else
	ex_handler \from, \to, ex_handler_uaccess
	.endif
	.endm
	.macro	fixup_unrolled
T_xu1:
.Lu_words:
	shl	$6, %ecx
	add	%ecx, %edx
	jmp	.Lu_go
T_xu2:
.Lu_quads:
	lea	(%rdx,%rcx,8), %edx
	jmp	.Lu_go
T_xu3:
.Lu_bytes:
	mov	%ecx, %edx
T_xu_go:
.Lu_go:
	jmp	.Lcopy_tail
	.endm
	.macro	fixup_string
T_xs1:
.Ls_quads:
	lea	(%rdx,%rcx,8), %ecx
T_xs2:
.Ls_bytes:
	mov	%ecx, %edx
T_xs_last:
	jmp	.Lcopy_tail
	.endm
	.macro	fixup_fast
T_xf:
.Lf_bytes:
	mov	%ecx, %edx
T_xf_last:
	jmp	.Lcopy_tail
	.endm
	.macro	fixup_nocache
T_xn1:
.Ln_words:
	lea	(%rdx,%rcx,4), %edx
	jmp	.Ln_go
T_xn2:
.Ln_bytes:
	mov	%ecx, %edx
T_xn_go:
.Ln_go:
	sfence
T_xn_last:
	jmp	.Lcopy_tail
	.endm

	.text
	func	copy_unrolled
	cmp	$8, %edx
T_fu1:
1:	mov	(%rsi), %r8
T_fu2:
2:	mov	%r8, (%rdi)
T_fu3:
3:	movb	(%rsi), %al
T_iu:
	xor	%eax, %eax
	ret
	.if	AFTER
	fixup_unrolled
	.endif
	endf	copy_unrolled
	entry	1b, .Lu_words
	entry	2b, .Lu_quads
	entry	3b, .Lu_bytes

	func	copy_string
	cmp	$8, %edx
	.if	AFTER
	jb	copy_short
	.endif
	mov	%edx, %ecx
	shr	$3, %ecx
T_fs1:
1:	rep movsq
.Lshort:
	mov	%edx, %ecx
T_fs2:
2:	rep movsb
T_is:
	xor	%eax, %eax
	ret
	.if	AFTER
	fixup_string
	.endif
	endf	copy_string
	entry	1b, .Ls_quads
	entry	2b, .Ls_bytes

	func	copy_fast
	cmp	$64, %edx
	.if	AFTER
	jb	copy_short
	.else
	jb	.Lshort			# into the middle of copy_string
	.endif
	mov	%edx, %ecx
T_ff:
1:	rep movsb
T_if:
	xor	%eax, %eax
	ret
	.if	AFTER
	fixup_fast
	.endif
	endf	copy_fast
	entry	1b, .Lf_bytes

	.balign	16, 0xcc
T_t1:
.Lcopy_tail:
	mov	%edx, %ecx
T_t_fault:
1:	rep movsb
T_t_land:
2:	mov	%ecx, %eax
T_t_last:
	ret
	entry	1b, 2b

	func	copy_nocache
	mov	%edx, %ecx
T_fn1:
1:	movnti	%r8d, (%rdi)
T_fn2:
2:	movb	%al, (%rdi)
T_in:
	xor	%eax, %eax
	sfence
	ret
	.if	AFTER
	fixup_nocache
	.endif
	endf	copy_nocache
	entry	1b, .Ln_words
	entry	2b, .Ln_bytes

	.if	AFTER
	.balign	16, 0xcc
	code	copy_short		# local, sized, NOTYPE, as in 6.1
	mov	%edx, %ecx
T_fh:
1:	rep movsb
T_ih:
	xor	%eax, %eax
	ret
T_h_land:
2:	mov	%ecx, %edx
T_h_land_last:
	jmp	.Lcopy_tail
	endf	copy_short
	entry	1b, 2b
	.endif

	func	read_nocache
	sub	$8, %rsp
	call	copy_nocache
T_c_nocache:
	call	copy_fast
T_c_fast:
	call	copy_unrolled
T_c_unrolled:
	call	other_work
T_c_other:
	add	$8, %rsp
	ret
	endf	read_nocache

	func	read_any		# one of three, chosen at boot
	sub	$8, %rsp
661:	call	copy_unrolled
662:
T_c_any:
	add	$8, %rsp
	ret
	endf	read_any
	.pushsection .altinstr_replacement, "ax"
663:	call	copy_string
664:
665:	call	copy_fast
666:
	.popsection
	alternative 661b, 662b, 663b, 664b, 0x70
	alternative 661b, 662b, 665b, 666b, 0x129

	func	read_pointer
	sub	$8, %rsp
	call	*%rax
T_c_pointer:
	add	$8, %rsp
	ret
	endf	read_pointer

	func	other_work
	nop
	ret
	endf	other_work

	.if	!AFTER
	handler	ex_handler_uaccess
	.section .fixup, "ax"
	fixup_unrolled
	fixup_string
.E_copy:
	fixup_fast
	fixup_nocache
T_gap:
	ud2
	.endif
