// Which kernels this processor can run.
#include <cstring>

#include "kernel.hpp"

namespace swiftreid {

const Kernel* avx2_kernel_if_compiled();

const Kernel* avx2_kernel() {
#if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
    __builtin_cpu_init();
    static const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                             __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    return able ? avx2_kernel_if_compiled() : nullptr;
#else
    return nullptr;
#endif
}

const Kernel* find_kernel(const char* name) {
    const Kernel* all[] = {avx2_kernel(), portable_kernel()};
    for (const Kernel* kernel : all)
        if (kernel && std::strcmp(kernel->name, name) == 0) return kernel;
    return nullptr;
}

}  // namespace swiftreid
