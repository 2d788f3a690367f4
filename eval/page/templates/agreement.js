{% include "grid.js" %}
