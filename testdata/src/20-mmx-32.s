# Vector copy with prefetch hints, 32-bit. The fixup rewrites the code itself: it
# stores a short jump over the first prefetch and then jumps back, so the running
# text differs from the file. Only the old form exists; the file was deleted later.
	.include "macros.inc"
	banner	5.10.0-fixture
	.text
	func	fast_copy_page
	mov	$3, %ecx
T_f1:
1:	prefetch (%esi)
	nop
T_f2:
2:	prefetch 64(%esi)
T_in:
3:	mov	(%esi), %eax
T_f3:
4:	prefetch 320(%esi)
	mov	%eax, (%edi)
T_in_last:
	ret
	endf	fast_copy_page

	handler	ex_handler_default
	.section .fixup, "ax"
.E_copy:
T_x1:
5:	movw	$0x06eb, 1b
T_x1_last:
	jmp	3b
T_x2:
6:	movw	$0x02eb, 4b
T_x2_last:
	jmp	4b
	ex_handler 1b, 5b, ex_handler_default
	ex_handler 2b, 5b, ex_handler_default
	ex_handler 4b, 6b, ex_handler_default
