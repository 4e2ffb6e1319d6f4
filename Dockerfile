# docker build -t clip-explorer .                                           for a CPU
# docker build -t clip-explorer --build-arg TORCH=https://download.pytorch.org/whl/cu128 .     for an NVIDIA GPU
FROM python:3.11-slim

ARG TORCH=https://download.pytorch.org/whl/cpu
RUN useradd --create-home --uid 1000 explorer && mkdir /data && chown explorer /data
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --index-url "$TORCH" "torch>=2.9,<2.14" && pip install --no-cache-dir -r requirements.txt
COPY . .

USER explorer
ENV CLIPEXPLORE_HOME=/data
VOLUME /data
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/healthz')"]
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address", "0.0.0.0"]
