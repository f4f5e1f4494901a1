typedef int n;
