// Version, the ABI tag that every declaration carries, and the few macros that no template can replace.
#pragma once

#define VITRAL_VERSION_MAJOR 0
#define VITRAL_VERSION_MINOR 2
#define VITRAL_VERSION_PATCH 0

// Whether x(i, j) checks its indices: where NDEBUG is not defined, as assert does. -DVITRAL_CHECKED=0 or 1 decides too.
#if !defined(VITRAL_CHECKED) && defined(NDEBUG)
#define VITRAL_CHECKED 0
#elif !defined(VITRAL_CHECKED)
#define VITRAL_CHECKED 1
#endif

// Whether AddressSanitizer watches this build; the pool then tells it which bytes of a block are in use.
#if defined(__SANITIZE_ADDRESS__)
#define VITRAL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VITRAL_ASAN 1
#endif
#endif

// Inline functions compiled for other vector units or with other checks, or by nvcc, must not be merged by the linker:
// the inline namespace names what they were built for.
#if defined(__CUDACC__)
#define VITRAL_ABI_TARGET _cuda
#elif defined(__AMX_BF16__)
#define VITRAL_ABI_TARGET _amx
#elif defined(__AVX512F__)
#define VITRAL_ABI_TARGET _avx512
#elif defined(__AVX2__)
#define VITRAL_ABI_TARGET _avx2
#else
#define VITRAL_ABI_TARGET
#endif
#if defined(VITRAL_ASAN)
#define VITRAL_ABI_MEMORY _asan
#else
#define VITRAL_ABI_MEMORY
#endif
#if VITRAL_CHECKED
#define VITRAL_ABI_INDICES _checked
#else
#define VITRAL_ABI_INDICES
#endif
#define VITRAL_JOIN_NAME(major, minor, target, memory, indices) v##major##_##minor##target##memory##indices
#define VITRAL_NAME(major, minor, target, memory, indices) VITRAL_JOIN_NAME(major, minor, target, memory, indices)
#define VITRAL_ABI \
  VITRAL_NAME(VITRAL_VERSION_MAJOR, VITRAL_VERSION_MINOR, VITRAL_ABI_TARGET, VITRAL_ABI_MEMORY, VITRAL_ABI_INDICES)

// Functions that run on the host and inside a CUDA kernel. They use no lambda and no
// function of the standard library but those of <cmath>, which nvcc knows.
#if defined(__CUDACC__)
#define VITRAL_HD __host__ __device__
#else
#define VITRAL_HD
#endif

// Functions that SIMD loops call: a call that the compiler leaves standing would keep the whole loop scalar.
#if defined(__CUDACC__)
#define VITRAL_SIMD __host__ __device__ inline
#else
#define VITRAL_SIMD [[gnu::always_inline]] inline
#endif

// nvcc and its host compiler must agree on every layout, so it gets no empty members.
#if defined(__CUDACC__)
#define VITRAL_NO_UNIQUE_ADDRESS
#else
#define VITRAL_NO_UNIQUE_ADDRESS [[no_unique_address]]
#endif

// Around loops that ask for SIMD: clang warns a user where a function, such as std::erf, has no such form.
#if defined(__clang__)
#define VITRAL_KERNELS_BEGIN _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wpass-failed\"")
#define VITRAL_KERNELS_END _Pragma("clang diagnostic pop")
#else
#define VITRAL_KERNELS_BEGIN
#define VITRAL_KERNELS_END
#endif
