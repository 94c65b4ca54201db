"""Growing the texture networks: what they knew at half the size they know at full size."""

import torch

from tools.train.texture import FULL, HALF, adopt


@torch.no_grad()
def test_a_grown_unet_answers_old_latents_as_before():
    old, new = HALF.networks()["unet"].eval(), FULL.networks()["unet"].eval()
    adopt(new, old, r"-", 0, "nothing")
    latents, more = torch.randn(2, HALF.latent, 32, 32), torch.randn(2, FULL.latent - HALF.latent, 32, 32)
    words, times = torch.randn(2, 77, 128), torch.tensor([10, 900])
    wanted = old(latents, times, words).sample
    made = new(torch.cat([latents, more], dim=1), times, words).sample
    assert torch.allclose(made[:, : HALF.latent], wanted, atol=1e-4)


@torch.no_grad()
def test_the_inner_levels_of_a_grown_vae_are_the_old_ones():
    old, new = HALF.vae().eval(), FULL.vae().eval()
    taken = adopt(new, old, r"encoder\.down_blocks\.", 1, "encoder.conv_in")
    outer = ("encoder.conv_in", "encoder.down_blocks.0", "decoder.up_blocks.4", "decoder.up_blocks.3.upsamplers")
    assert taken == {name for name in new.state_dict() if not name.startswith(outer)}
    features = torch.randn(1, 16, 64, 64)
    inner, before = new.encoder.down_blocks[1:], old.encoder.down_blocks
    one, other = features, features
    for level, levels_before in zip(inner, before, strict=True):
        one, other = level(one), levels_before(other)
    assert torch.allclose(one, other)
    one = new.quant_conv(new.encoder.conv_out(new.encoder.conv_act(new.encoder.conv_norm_out(new.encoder.mid_block(one)))))
    other = old.quant_conv(old.encoder.conv_out(old.encoder.conv_act(old.encoder.conv_norm_out(old.encoder.mid_block(other)))))
    means, variances = one.chunk(2, dim=1)
    means_before, variances_before = other.chunk(2, dim=1)
    assert torch.allclose(means[:, : HALF.latent], means_before, atol=1e-5)
    assert torch.allclose(variances[:, : HALF.latent], variances_before, atol=1e-5)
