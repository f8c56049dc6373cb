// Memory that grows and is kept from query to query, and is never filled with zeros.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace swiftreid {

// For loads that want to start where a line of the processor's caches does.
inline void* align(void* at) {
    return reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(at) + 63) & ~std::uintptr_t{63});
}

template <class T>
T* align(T* at) {
    return static_cast<T*>(align(static_cast<void*>(at)));
}

template <class T>
class Buffer {
public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Buffer(Buffer&& other) noexcept { swap(other); }
    ~Buffer() { std::free(data_); }

    // Room for `count` values; those already there stay.
    T* room(std::size_t count) {
        if (count > capacity_) {
            const std::size_t next = count > 2 * capacity_ ? count : 2 * capacity_;
            void* grown = std::realloc(data_, next * sizeof(T));
            if (!grown) throw std::bad_alloc();
            data_ = static_cast<T*>(grown);
            capacity_ = next;
        }
        return data_;
    }
    void swap(Buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(capacity_, other.capacity_);
    }
    T* data() { return data_; }
    T& operator[](std::size_t i) { return data_[i]; }

private:
    T* data_ = nullptr;
    std::size_t capacity_ = 0;
};

}  // namespace swiftreid
