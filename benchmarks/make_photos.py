"""Cuts photographs into pieces of 500 x 375 pixels, as JPEG files of quality 95.

    python3 make_photos.py FROM_DIR TO_DIR COUNT"""
import os
import sys

from PIL import Image

source, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.makedirs(target, exist_ok=True)
made = 0
for name in sorted(os.listdir(source)):
    if not name.lower().endswith((".jpg", ".jpeg")):
        continue
    photo = Image.open(os.path.join(source, name)).convert("RGB")
    width, height = photo.size
    for row in range(2):
        for column in range(2):
            if made == count:
                sys.exit()
            piece = photo.crop((column * width // 2, row * height // 2, (column + 1) * width // 2,
                                (row + 1) * height // 2))
            side = min(piece.width // 4, piece.height // 3)
            piece.crop((0, 0, 4 * side, 3 * side)).resize((500, 375), Image.LANCZOS).save(
                os.path.join(target, f"{made:04d}.jpg"), quality=95)
            made += 1
