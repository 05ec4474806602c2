package podfilter

// The decisions of systemd-nspawn 252 on x86-64, read from the filters of a
// container (ptrace(2), PTRACE_SECCOMP_GET_FILTER): each segment begins at a system
// call number and reaches to the next.
var x8664Calls = []segment{
	{0, allow}, {103, eperm}, {104, allow}, {134, eperm}, {135, allow}, {136, eperm}, {137, allow}, {139, eperm},
	{140, allow}, {149, eperm}, {153, allow}, {154, eperm}, {155, allow}, {156, eperm}, {157, allow}, {159, eperm},
	{160, allow}, {163, eperm}, {165, allow}, {167, eperm}, {169, allow}, {172, eperm}, {180, enosys}, {181, eperm},
	{186, allow}, {212, eperm}, {213, allow}, {227, eperm}, {228, allow}, {236, eperm}, {237, allow}, {246, eperm},
	{247, allow}, {248, eperm}, {251, allow}, {298, eperm}, {299, allow}, {300, eperm}, {302, allow}, {304, eperm},
	{306, allow}, {313, eperm}, {314, allow}, {320, eperm}, {322, allow}, {325, eperm}, {326, allow}, {329, eperm},
	{332, allow}, {335, enosys}, {424, allow}, {438, eperm}, {439, allow}, {443, eperm}, {449, allow}, {451, enosys},
	{452, allow}, {453, eperm}, {457, enosys},
}

var i386Calls = []segment{
	{0, allow}, {17, eperm}, {18, allow}, {25, eperm}, {26, allow}, {31, eperm}, {33, allow}, {35, eperm}, {36, allow},
	{44, eperm}, {45, allow}, {51, eperm}, {52, allow}, {53, eperm}, {54, allow}, {56, eperm}, {57, allow}, {58, eperm},
	{59, allow}, {62, eperm}, {63, allow}, {68, eperm}, {70, allow}, {79, eperm}, {80, allow}, {86, eperm}, {88, allow},
	{98, eperm}, {99, allow}, {101, eperm}, {102, allow}, {103, eperm}, {104, allow}, {110, eperm}, {111, allow},
	{112, eperm}, {114, allow}, {115, eperm}, {116, allow}, {123, eperm}, {125, allow}, {127, eperm}, {132, allow},
	{134, eperm}, {136, allow}, {137, eperm}, {138, allow}, {149, eperm}, {154, allow}, {166, eperm}, {168, allow},
	{169, enosys}, {170, allow}, {188, eperm}, {190, allow}, {222, enosys}, {224, allow}, {251, enosys}, {252, allow},
	{253, eperm}, {254, allow}, {264, eperm}, {265, allow}, {273, eperm}, {274, allow}, {283, eperm}, {284, allow},
	{285, enosys}, {286, eperm}, {289, allow}, {336, eperm}, {337, allow}, {338, eperm}, {340, allow}, {342, eperm},
	{344, allow}, {350, eperm}, {351, allow}, {357, eperm}, {358, allow}, {376, eperm}, {377, allow}, {380, eperm},
	{383, allow}, {387, enosys}, {393, allow}, {404, eperm}, {406, allow}, {415, enosys}, {416, allow}, {438, eperm},
	{439, allow}, {443, eperm}, {449, allow}, {451, enosys}, {452, allow}, {453, eperm}, {457, enosys},
}
