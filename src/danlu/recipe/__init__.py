"""What a run is, as data: frozen sections, loaded from YAML, without torch."""

from danlu.recipe.errors import DanluError, InternalFault, UserError
from danlu.recipe.loading import load_recipe, parse_recipe
from danlu.recipe.recipe import Recipe

__all__ = ["DanluError", "InternalFault", "Recipe", "UserError", "load_recipe", "parse_recipe"]
