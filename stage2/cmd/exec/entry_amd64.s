#include "textflag.h"

// entry is where the kernel starts this program, when it is linked with
// "-E main.entry". It gives the thread what compiled Go code finds at hand: a
// pointer to a g, in which no stack is too full, by way of the thread pointer;
// then it calls early with the stack as the kernel left it. If that returns, Go's
// own start follows, which sets all of this anew.
TEXT ·entry(SB),NOSPLIT|NOFRAME,$0
	MOVQ SP, BX
	LEAQ ·threadPointer+8(SB), SI
	MOVQ $0x1002, DI // ARCH_SET_FS
	MOVQ $158, AX    // arch_prctl(2)
	SYSCALL
	LEAQ ·noG(SB), AX
	MOVQ AX, ·threadPointer(SB)
	SUBQ $32, SP
	ANDQ $~15, SP
	MOVQ BX, 0(SP)
	MOVQ BX, 16(SP)
	CALL ·early(SB)
	MOVQ 16(SP), SP
	JMP _rt0_amd64_linux(SB)
