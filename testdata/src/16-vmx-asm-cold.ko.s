# Virtualisation instructions written with asm goto: the compiler put the fault
# label into foo.cold, in another section. Same shape in both eras; only the third
# word of the entry differs.
	.include "macros.inc"
	modinfo
	.macro	entry from, to
	.if	AFTER
	ex_type	\from, \to, EX_DEFAULT
	.else
	ex_handler \from, \to, ex_handler_default
	.endif
	.endm

	.text
	func	vm_clear
	push	%rbx
T_f1:
1:	vmclear	(%rdi)
	jbe	vm_clear.cold
T_in1:
.Lclear_out:
	pop	%rbx
	ret
	endf	vm_clear

	lfunc	vm_load
T_f2:
2:	vmptrld	(%rdi)
T_in2:
.Lload_out:
	ret
	endf	vm_load

	.section .text.unlikely, "ax"
	.type	vm_clear.cold, @function
vm_clear.cold:
T_cold1:
	call	vm_clear_error
T_cold1_return:
	jmp	.Lclear_out
T_land1:
3:	call	spurious_fault
T_land1_return:
	jmp	.Lclear_out
	endf	vm_clear.cold
	.type	vm_load.cold, @function
vm_load.cold:
T_land2:
4:	mov	$1, %eax
T_land2_last:
	jmp	.Lload_out
	endf	vm_load.cold
	entry	1b, 3b
	entry	2b, 4b
