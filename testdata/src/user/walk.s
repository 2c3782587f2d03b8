# A library with a frame of every kind. Labels beginning with `in_` are return addresses or places inside a frame.
    .text
    .type first, @function
first:                          # the outermost: no return address
    .cfi_startproc
    .cfi_undefined rip
    call outer
in_first:
    hlt
    .cfi_endproc
    .size first, .-first

    .type outer, @function
outer:
    .cfi_startproc
    push %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset rbx, -16
    sub $0x20, %rsp
    .cfi_def_cfa_offset 48
    call inner
in_outer:
    add $0x20, %rsp
    .cfi_def_cfa_offset 16
    pop %rbx
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size outer, .-outer

    .type inner, @function
inner:
    .cfi_startproc
    sub $8, %rsp
    .cfi_def_cfa_offset 16
    nop
in_inner:
    nop
    add $8, %rsp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size inner, .-inner

    .type realigned, @function
realigned:                      # CFA = *(rbp - 8)
    .cfi_startproc
    nop
    .cfi_escape 0x0f, 3, 0x76, 0x78, 0x06
    .cfi_escape 0x10, 6, 2, 0x76, 0
    call inner
in_realigned:
    nop
    ret
    .cfi_endproc
    .size realigned, .-realigned

    .type by_rbx, @function
by_rbx:                         # as the dynamic linker's trampolines
    .cfi_startproc
    push %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset rbx, -16
    mov %rsp, %rbx
    .cfi_def_cfa_register rbx
    call outer
in_by_rbx:
    pop %rbx
    .cfi_def_cfa rsp, 8
    ret
    .cfi_endproc
    .size by_rbx, .-by_rbx

    .type kept, @function
kept:                           # a frame pointer, and no call-frame information
    push %rbp
    mov %rsp, %rbp
    call inner
in_kept:
    pop %rbp
    ret
    .size kept, .-kept

    .type loops, @function
loops:                          # its caller is itself
    .cfi_startproc
    .cfi_def_cfa_offset 0
    call inner
in_loops:
    nop
    .cfi_endproc
    .size loops, .-loops

    .type endless, @function
endless:                        # an expression that does not end
    .cfi_startproc
    .cfi_escape 0x0f, 3, 0x2f, 0xfd, 0xff
    call inner
in_endless:
    nop
    .cfi_endproc
    .size endless, .-endless

    nop
    .type restorer, @function
restorer:
    mov $15, %rax
    syscall
    .size restorer, .-restorer
    .section .note.GNU-stack, "", @progbits
