# Astro builds requirements.txt, packages.txt and this folder (less .dockerignore) into its image
FROM astrocrpublic.azurecr.io/runtime:3.3-7-python-3.12
