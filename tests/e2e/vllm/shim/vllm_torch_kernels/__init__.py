"""Plain-PyTorch stand-ins for the compiled operators vLLM's CPU backend calls.

The sdist of vLLM installs everywhere with VLLM_TARGET_DEVICE=empty (no compiled code).
At run time VLLM_TARGET_DEVICE=cpu selects CpuPlatform, whose worker calls these operators
in the torch.ops._C namespace. Slow, and enough for a decoder-only model of a few million
parameters in float32 on a machine with no compiler and no GPU. Tests only.
"""

import time

import torch

_LIB = None


def _init_cpu_memory_env(node_ids):
    return None


def _compute_slot_mapping(query_start_loc, positions, block_table, slot_mapping, block_size):
    starts = query_start_loc.tolist()
    for i in range(len(starts) - 1):
        lo, hi = starts[i], starts[i + 1]
        if hi <= lo:
            continue
        pos = positions[lo:hi]
        blocks = block_table[i].index_select(0, pos // block_size).to(torch.int64)
        slot_mapping[lo:hi] = blocks * block_size + pos % block_size


def _slot_mapping_override(num_tokens, max_num_tokens, query_start_loc_ptr, positions_ptr,
                           block_table_ptr, block_table_stride, slot_mapping_ptr,
                           KV_CACHE_BLOCK_SIZE, TOTAL_CP_WORLD_SIZE, TOTAL_CP_RANK,
                           CP_KV_CACHE_INTERLEAVE_SIZE, PAD_ID, BLOCK_SIZE):
    # vLLM 0.32.0's own fallback for "no Triton" takes its arguments in another order than the
    # kernel it replaces and fails; with these names it is called by keyword.
    _compute_slot_mapping(query_start_loc_ptr, positions_ptr, block_table_ptr, slot_mapping_ptr,
                          KV_CACHE_BLOCK_SIZE)


def _get_scheduler_metadata(*args, **kwargs):
    return torch.empty(0, dtype=torch.int8)


def _reshape_and_cache(key, value, key_cache, value_cache, slot_mapping, isa, k_scale=1.0,
                       v_scale=1.0, kv_cache_dtype="auto"):
    n = slot_mapping.shape[0]
    block_size = key_cache.shape[2]
    keep = slot_mapping >= 0
    slots = slot_mapping[keep]
    blocks, offsets = slots // block_size, slots % block_size
    key_cache[blocks, :, offsets] = key[:n][keep]
    value_cache[blocks, :, offsets] = value[:n][keep]


def _attention(query, key_cache, value_cache, output, query_start_loc, seq_lens, scale, causal,
               alibi_slopes, sliding_window, block_table, softcap, scheduler_metadata, s_aux,
               dynamic_causal=None, k_scale=1.0, v_scale=1.0, kv_cache_dtype="auto"):
    if alibi_slopes is not None or softcap or s_aux is not None or dynamic_causal is not None:
        raise NotImplementedError("vllm_torch_kernels: plain causal attention only")
    block_size = key_cache.shape[2]
    n_heads, n_kv = query.shape[1], key_cache.shape[1]
    starts, lens = query_start_loc.tolist(), seq_lens.tolist()
    for i in range(len(starts) - 1):
        lo, hi = starts[i], starts[i + 1]
        q_len, kv_len = hi - lo, lens[i]
        if q_len <= 0:
            continue
        blocks = block_table[i, : (kv_len + block_size - 1) // block_size].to(torch.int64)
        k = key_cache[blocks].transpose(0, 1).reshape(n_kv, -1, key_cache.shape[3])[:, :kv_len]
        v = value_cache[blocks].transpose(0, 1).reshape(n_kv, -1, value_cache.shape[3])[:, :kv_len]
        if n_kv != n_heads:
            k = k.repeat_interleave(n_heads // n_kv, dim=0)
            v = v.repeat_interleave(n_heads // n_kv, dim=0)
        mask = None
        if causal or sliding_window > 0:
            rows = torch.arange(kv_len - q_len, kv_len).unsqueeze(1)
            cols = torch.arange(kv_len).unsqueeze(0)
            mask = cols <= rows if causal else torch.ones(q_len, kv_len, dtype=torch.bool)
            if sliding_window > 0:
                mask = mask & (cols > rows - sliding_window)
        out = torch.nn.functional.scaled_dot_product_attention(
            query[lo:hi].transpose(0, 1), k, v, attn_mask=mask, scale=scale
        )
        output[lo:hi] = out.transpose(0, 1).reshape(output[lo:hi].shape)


def _greedy_argmax(logits):
    return logits.argmax(dim=-1)


def _fused_gumbel_argmax(logits, seeds):
    out = torch.empty(logits.shape[0], dtype=torch.int64)
    for i, seed in enumerate(seeds.tolist()):
        gen = torch.Generator().manual_seed(seed)
        noise = torch.empty_like(logits[i]).exponential_(generator=gen).clamp_min_(1e-20)
        out[i] = (logits[i] - noise.log()).argmax()
    return out


def _rotary_embedding(positions, query, key, head_size, cos_sin_cache, is_neox, *rest):
    cos, sin = cos_sin_cache.index_select(0, positions.flatten()).chunk(2, dim=-1)
    rot = cos.shape[-1] * 2
    for x in (query, key):
        if x is None:
            continue
        view = x.view(positions.numel(), -1, head_size)
        part = view[..., :rot]
        c, s = cos.unsqueeze(1).to(x.dtype), sin.unsqueeze(1).to(x.dtype)
        if is_neox:
            a, b = part.chunk(2, dim=-1)
            new = torch.cat((a * c - b * s, b * c + a * s), dim=-1)
        else:
            a, b = part[..., ::2], part[..., 1::2]
            new = torch.stack((a * c - b * s, b * c + a * s), dim=-1).flatten(-2)
        part.copy_(new)


_OPS = {
    "init_cpu_memory_env(SymInt[] node_ids) -> ()": _init_cpu_memory_env,
    "compute_slot_mapping_kernel_impl(Tensor query_start_loc, Tensor positions, "
    "Tensor block_table, Tensor(a3!) slot_mapping, SymInt block_size) -> ()": _compute_slot_mapping,
    "get_scheduler_metadata(int num_req, int num_heads_q, int num_heads_kv, int head_dim, "
    "Tensor seq_lens, ScalarType dtype, Tensor query_start_loc, bool casual, int window_size, "
    "str isa_hint, bool enable_kv_split, Tensor? dynamic_causal, "
    'str kv_cache_dtype="auto") -> Tensor': _get_scheduler_metadata,
    "cpu_attn_reshape_and_cache(Tensor key, Tensor value, Tensor(a2!) key_cache, "
    "Tensor(a3!) value_cache, Tensor slot_mapping, str isa, float k_scale=1.0, "
    'float v_scale=1.0, str kv_cache_dtype="auto") -> ()': _reshape_and_cache,
    "cpu_attention_with_kv_cache(Tensor query, Tensor key_cache, Tensor value_cache, "
    "Tensor(a3!) output, Tensor query_start_loc, Tensor seq_lens, float scale, bool causal, "
    "Tensor? alibi_slopes, SymInt sliding_window_size, Tensor block_table, float softcap, "
    "Tensor scheduler_metadata, Tensor? s_aux, Tensor? dynamic_causal, float k_scale=1.0, "
    'float v_scale=1.0, str kv_cache_dtype="auto") -> ()': _attention,
    "fused_gumbel_argmax(Tensor logits, Tensor seeds) -> Tensor": _fused_gumbel_argmax,
    "greedy_argmax(Tensor logits) -> Tensor": _greedy_argmax,
    "rotary_embedding(Tensor positions, Tensor(a1!) query, Tensor(a2!)? key, int head_size, "
    "Tensor cos_sin_cache, bool is_neox, int rope_dim_offset=0, bool inverse=False) -> ()": _rotary_embedding,
}


def register():
    global _LIB
    if _LIB is not None:
        return
    _LIB = torch.library.Library("_C", "FRAGMENT")
    for schema, fn in _OPS.items():
        name = schema.split("(", 1)[0]
        if hasattr(torch.ops._C, name):
            continue
        _LIB.define(schema)
        # some of these take no tensor, so the fall-through key serves all
        _LIB.impl(name, fn, "CompositeExplicitAutograd")
    from vllm.utils import cpu_triton_utils

    cpu_triton_utils._compute_slot_mapping_kernel_impl = _slot_mapping_override
    _stop_spinning()


def _stop_spinning():
    # Engine and worker wait for each other by spinning on sched_yield. On two cores that takes both of them, and the spinning
    # thread takes Python's lock back before the thread that sends the answers out gets it: streams then arrive in bursts, 1 to 3
    # seconds apart, and a client that leaves is noticed as late. A short sleep costs 0.1 ms a token and sends each when it is made.
    from vllm.distributed.device_communicators import shm_broadcast

    shm_broadcast.sched_yield = lambda: time.sleep(1e-4)
