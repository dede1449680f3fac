"""An OpenAI-compatible server that answers by itself: deterministic, and as ill-behaved as a request asks it to be.

`client.FakeClient` is the in-process form, behind the seam `gateway.http.contract.HttpClient`; `python -m gateway.upstream.fake`
serves the same behaviour over TCP. What a request can ask for stands in `directive`, what can go wrong in `faults`.
"""
