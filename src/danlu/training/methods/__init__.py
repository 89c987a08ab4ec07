"""Fine-tuning methods: which parameters train, and how they are saved."""

from danlu.recipe.choices import Choices

METHODS = Choices(
    "method",
    {
        "lora": "danlu.training.methods.lora:Lora",
        "qlora": "danlu.training.methods.qlora:Qlora",
        "full": "danlu.training.methods.full:Full",
        "freeze": "danlu.training.methods.freeze:Freeze",
        "hybrid": "danlu.training.methods.hybrid:Hybrid",
        "prefix": "danlu.training.methods.prefix:PrefixTuning",
        "prompt": "danlu.training.methods.prompt:PromptTuning",
        "adapter": "danlu.training.methods.adapter:Adapter",
        "ia3": "danlu.training.methods.ia3:Ia3",
    },
)
