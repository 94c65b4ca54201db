from dataclasses import replace

import numpy as np
import pytest

from cliphead_addon.engine.geometry import surface, unwrap
from cliphead_addon.engine.geometry.mesh import vertex_normals
from cliphead_addon.engine.stages import HeadMesh

from .heads import HIGH, LOW, AnalyticHead, mirror_order


def head_mesh(field, resolution=64):
    """An analytic head as the pipeline would hand it on."""
    vertices, faces, report = surface.extract(field, LOW, HIGH, resolution)
    anchors = field.anchors().astype(np.float32)
    return HeadMesh(vertices, faces, vertices, vertex_normals(vertices, faces), anchors, report=report)


def mirrored(mesh):
    """The mirror image in x = 0, its landmarks renamed as a network would name them."""
    flip = np.array([-1, 1, 1], np.float32)
    return replace(
        mesh,
        vertices=mesh.vertices * flip,
        canonical=mesh.canonical * flip,
        normals=mesh.normals * flip,
        faces=mesh.faces[:, ::-1].copy(),
        anchors=(mesh.anchors * flip)[mirror_order()],
    )


@pytest.fixture(scope="session")
def heads():
    return [head_mesh(AnalyticHead(seed)) for seed in (None, 1, 2)]


@pytest.fixture(scope="session")
def layout(heads):
    return unwrap.fit_layout(heads)
