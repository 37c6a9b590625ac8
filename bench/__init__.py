"""The platform beside LiteLLM, Portkey and nginx: same upstream, interleaved rounds, one machine."""
