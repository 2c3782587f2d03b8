# Names the compiler makes. Two source files each have a local foo with a foo.cold
# (the fault label is in the cold part), and there are .isra, .constprop, .part and
# .part.cold names and 16-byte __pfx_ padding symbols.
# parts: 1 2
	.include "macros.inc"
	.macro	padded name, local=0
	.balign	16, 0xcc
	.type	__pfx_\name, @function
__pfx_\name:
	.fill	16, 1, 0x90
	endf	__pfx_\name
	.if	!\local
	.globl	\name
	.endif
	.type	\name, @function
\name:
	.endm
	.macro	part name, n, to
	padded	\name, 1
T_f\n:
1:	mov	(%rdi), %eax
T_in\n:
2:	jz	.Lcold\n
	ret
	endf	\name
	.pushsection .text.unlikely, "ax"
	.type	\name\().cold, @function
\name\().cold:
.Lcold\n:
T_cold\n:
	ud2
T_land\n:
3:	mov	$-14, %eax
T_land\n\()_last:
	jmp	2b
	endf	\name\().cold
	.popsection
	ex_type	1b, 3b, EX_UACCESS
	.endm

	.if	PART == 1
	.file	"first.c"
	banner	7.2.0-fixture
	.text
T_pfx:
	part	foo, 1
	part	bar.part.0, 2
	lfunc	bar.isra.0
T_isra:
	nop
	ret
	endf	bar.isra.0
	lfunc	baz.constprop.0
T_constprop:
	nop
	ret
	endf	baz.constprop.0
	lfunc	baz.constprop.0.isra.0
T_both:
	nop
	ret
	endf	baz.constprop.0.isra.0
	padded	use_first
	sub	$8, %rsp
	call	foo
T_return:
	call	bar.isra.0
	add	$8, %rsp
	ret
	endf	use_first
	.else
	.file	"second.c"
	.text
	part	foo, 3
	padded	bar
T_bar:
	nop
	ret
	endf	bar
	.endif
