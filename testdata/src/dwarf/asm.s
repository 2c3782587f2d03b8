# Functions in assembler: their lines come from the assembler.
	.text
	.globl	from_assembler
	.type	from_assembler, @function
from_assembler:
	testl	%edi, %edi
	je	1f
	.include "inner.inc"
	jmp	label_only
1:	movl	%edi, %eax
	ret
	.size	from_assembler, . - from_assembler

	.globl	label_only
label_only:
	notl	%eax
	ret

	.section .text.more, "ax", @progbits
	.globl	in_a_section
	.type	in_a_section, @function
in_a_section:
	xorl	%eax, %eax
	call	from_assembler
	ret
	.size	in_a_section, . - in_a_section
