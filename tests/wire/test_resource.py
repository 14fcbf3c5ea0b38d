"""A resource as the published definitions read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from levo.wire.resource import encode_resource

SCALARS = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(),
)


def python_value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return [python_value(one) for one in value.array_value.values]
    return getattr(value, kind)


@given(st.dictionaries(st.text(), st.one_of(SCALARS, st.lists(SCALARS))))
def test_resources_read_back(attributes):
    resource = Resource.FromString(encode_resource(attributes))

    assert {pair.key: python_value(pair.value) for pair in resource.attributes} == attributes
    assert [pair.key for pair in resource.attributes] == list(attributes)


def test_an_absent_value_leaves_its_attribute_out():
    assert encode_resource({"a": None}) == b""


def test_text_that_is_not_unicode_does_not_stop_the_sensor():
    resource = Resource.FromString(encode_resource({"host\udcff": "name\udcff"}))

    assert [(pair.key, pair.value.string_value) for pair in resource.attributes] == [("host?", "name?")]


@pytest.mark.parametrize("value", [{}, ["a", {}]])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(TypeError, match="dict"):
        encode_resource({"a": value})
