// Which kernels this processor can run.
#include <cstring>
#include <vector>

#include "kernel.hpp"

namespace swiftreid {

// Each is null where the compiler could not build it.
const Kernel* avx512_kernel_if_compiled();
const Kernel* avx2_kernel_if_compiled();
const Kernel* neon_kernel_if_compiled();
const Kernel* portable_kernel();

namespace {

std::vector<const Kernel*> look() {
    std::vector<const Kernel*> able;
    const auto add = [&](const Kernel* kernel) {
        if (kernel) able.push_back(kernel);
    };
#if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                      __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vpopcntdq"))
        add(avx512_kernel_if_compiled());
    if (avx2) add(avx2_kernel_if_compiled());
#endif
    add(neon_kernel_if_compiled());
    add(portable_kernel());
    able.push_back(nullptr);
    return able;
}

}  // namespace

const Kernel* const* able_kernels() {
    static const std::vector<const Kernel*> able = look();
    return able.data();
}

const Kernel* find_kernel(const char* name) {
    for (const Kernel* const* kernel = able_kernels(); *kernel; ++kernel)
        if (std::strcmp((*kernel)->name, name) == 0) return *kernel;
    return nullptr;
}

}  // namespace swiftreid
